"""An evaluation in a line: in English for the terminal, in Chinese for messages and the admin."""

from monitoring.evaluation import Measured, Why

ENGLISH = {
    Why.WITHIN: "within the threshold",
    Why.BREACHED_NOT_LONG_ENOUGH: "beyond the threshold, not for long enough yet",
    Why.COOLING_DOWN: "beyond the threshold, too soon after the last alert",
    Why.BREACHED: "beyond the threshold for long enough",
    Why.STILL_BREACHED: "still beyond the threshold",
    Why.NOT_RECOVERED: "not back at the resolve threshold",
    Why.RECOVERED_NOT_LONG_ENOUGH: "recovered, not for long enough yet",
    Why.RECOVERED: "recovered for long enough",
    Why.TOO_FEW: "too few samples to tell",
    Why.NO_DATA: "nothing was sampled",
}
CHINESE = {
    Why.WITHIN: "未超过阈值",
    Why.BREACHED_NOT_LONG_ENOUGH: "超过阈值，持续时间还不够",
    Why.COOLING_DOWN: "超过阈值，仍在冷却期",
    Why.BREACHED: "超过阈值且已持续足够久",
    Why.STILL_BREACHED: "仍超过阈值",
    Why.NOT_RECOVERED: "尚未回到恢复阈值",
    Why.RECOVERED_NOT_LONG_ENOUGH: "已恢复，持续时间还不够",
    Why.RECOVERED: "已恢复足够久",
    Why.TOO_FEW: "样本不足，无法判断",
    Why.NO_DATA: "没有数据",
}


def in_numbers(kind: str, value: float | None, metric: str = "") -> str:
    """A value as people write it: `5 %` of a ratio, `12.3 s` of a mean of seconds."""
    if value is None:
        return "-"
    if kind == "ratio":
        return f"{100 * value:.3g} %"
    unit = " s" if kind == "mean" and metric.endswith("_seconds") else ""
    return f"{value:.4g}{unit}"


def summary_of(
    kind: str, metric: str, comparison: str, threshold: float, measured: Measured, why: Why
) -> str:  # fmt: skip
    """What an alert says below its title."""
    value = in_numbers(kind, measured.value, metric)
    parts = [f"当前 {value}（阈值 {comparison} {in_numbers(kind, threshold, metric)}）"]
    if kind == "ratio" and measured.denominator is not None:
        parts[0] = f"当前 {value}：{measured.numerator:.0f} / {measured.denominator:.0f}（阈值 {comparison} " + (
            f"{in_numbers(kind, threshold, metric)}）"
        )
    if kind != "gauge" and measured.low is not None:
        low, high = in_numbers(kind, measured.low, metric), in_numbers(kind, measured.high, metric)
        parts.append(f"区间 {low} 至 {high}")
    if measured.window_seconds:
        parts.append(f"最近 {in_minutes(measured.window_seconds)}")
    return "，".join([*parts, CHINESE[why]])


def in_minutes(seconds: float) -> str:
    """A duration in Chinese."""
    if seconds < 60:
        return f"{seconds:g} 秒"
    return f"{seconds / 60:g} 分钟" if seconds < 7200 else f"{seconds / 3600:.3g} 小时"
