"""An evaluation in one line: in Chinese for messages and the admin, in its own language for the terminal."""

from django.utils.translation import gettext_noop

from monitoring.measurement import Measurement
from monitoring.rules.decision import DecisionReason

REASON_TEXTS = {
    DecisionReason.WITHIN: gettext_noop("未超过阈值"),
    DecisionReason.BREACHED_NOT_LONG_ENOUGH: gettext_noop("超过阈值，持续时间还不够"),
    DecisionReason.COOLING_DOWN: gettext_noop("超过阈值，仍在冷却期"),
    DecisionReason.BREACHED: gettext_noop("超过阈值且已持续足够久"),
    DecisionReason.STILL_BREACHED: gettext_noop("仍超过阈值"),
    DecisionReason.NOT_RECOVERED: gettext_noop("尚未回到恢复阈值"),
    DecisionReason.RECOVERED_NOT_LONG_ENOUGH: gettext_noop("已恢复，持续时间还不够"),
    DecisionReason.RECOVERED: gettext_noop("已恢复"),
    DecisionReason.STALE: gettext_noop("一天没有足够的样本，无从判断，告警就此结束"),
    DecisionReason.INHIBITED: gettext_noop("超过阈值，已由另一个未解除的告警说明"),
    DecisionReason.TOO_FEW: gettext_noop("样本不足，无法判断"),
    DecisionReason.NO_DATA: gettext_noop("没有数据"),
}


def format_rule_value(kind: str, value: float | None, metric: str = "") -> str:
    """Format a value: `5 %` for a ratio, `12.3 s` for a mean of seconds."""
    if value is None:
        return "-"
    if kind == "ratio":
        return f"{100 * value:.3g} %"
    unit = " s" if kind == "mean" and metric.endswith("_seconds") else ""
    return f"{value:.4g}{unit}"


def build_evaluation_summary(
    kind: str, metric: str, comparison: str, threshold: float, measurement: Measurement, reason: DecisionReason
) -> str:
    """Return the summary of an alert: value, threshold, interval, window and reason."""
    value = format_rule_value(kind, measurement.value, metric)
    if kind == "ratio" and measurement.denominator is not None:
        value += f"：{measurement.numerator:.0f} / {measurement.denominator:.0f}"
    parts = [f"当前 {value}（阈值 {comparison} {format_rule_value(kind, threshold, metric)}）"]
    if kind != "gauge" and measurement.low is not None:
        low, high = format_rule_value(kind, measurement.low, metric), format_rule_value(kind, measurement.high, metric)
        parts.append(f"区间 {low} 至 {high}")
    if measurement.window_seconds:
        parts.append(f"最近 {format_window(measurement.window_seconds)}")
    return "，".join([*parts, REASON_TEXTS[reason]])


def format_window(seconds: float) -> str:
    """Format a duration in Chinese."""
    if seconds < 60:
        return f"{seconds:g} 秒"
    return f"{seconds / 60:g} 分钟" if seconds < 7200 else f"{seconds / 3600:.3g} 小时"
