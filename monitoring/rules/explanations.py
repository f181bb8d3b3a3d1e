"""An evaluation in one line: in English for the terminal, in Chinese for messages and the admin."""

from monitoring.measurement import Measurement
from monitoring.rules.decision import DecisionReason

REASON_TEXTS_EN = {
    DecisionReason.WITHIN: "within the threshold",
    DecisionReason.BREACHED_NOT_LONG_ENOUGH: "beyond the threshold, not long enough yet",
    DecisionReason.COOLING_DOWN: "beyond the threshold, too soon after the last alert",
    DecisionReason.BREACHED: "beyond the threshold for long enough",
    DecisionReason.STILL_BREACHED: "still beyond the threshold",
    DecisionReason.NOT_RECOVERED: "not back at the resolve threshold",
    DecisionReason.RECOVERED_NOT_LONG_ENOUGH: "recovered, not long enough yet",
    DecisionReason.RECOVERED: "recovered",
    DecisionReason.STALE: "no evidence for a day",
    DecisionReason.INHIBITED: "beyond the threshold, explained by another open alert",
    DecisionReason.TOO_FEW: "too few samples",
    DecisionReason.NO_DATA: "no samples",
}
REASON_TEXTS_ZH = {
    DecisionReason.WITHIN: "未超过阈值",
    DecisionReason.BREACHED_NOT_LONG_ENOUGH: "超过阈值，持续时间还不够",
    DecisionReason.COOLING_DOWN: "超过阈值，仍在冷却期",
    DecisionReason.BREACHED: "超过阈值且已持续足够久",
    DecisionReason.STILL_BREACHED: "仍超过阈值",
    DecisionReason.NOT_RECOVERED: "尚未回到恢复阈值",
    DecisionReason.RECOVERED_NOT_LONG_ENOUGH: "已恢复，持续时间还不够",
    DecisionReason.RECOVERED: "已恢复",
    DecisionReason.STALE: "一天没有足够的样本，无从判断，告警就此结束",
    DecisionReason.INHIBITED: "超过阈值，已由另一个未解除的告警说明",
    DecisionReason.TOO_FEW: "样本不足，无法判断",
    DecisionReason.NO_DATA: "没有数据",
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
    return "，".join([*parts, REASON_TEXTS_ZH[reason]])


def format_window(seconds: float) -> str:
    """Format a duration in Chinese."""
    if seconds < 60:
        return f"{seconds:g} 秒"
    return f"{seconds / 60:g} 分钟" if seconds < 7200 else f"{seconds / 3600:.3g} 小时"
