"""The data of the dashboard's charts and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils.translation import gettext as _

from errors.statistics import count_shown_by_code
from monitoring.dashboard.metric_history import MetricHistory
from monitoring.label_matchers import UNDECIDED_OUTCOMES
from monitoring.samples.histograms import compute_percentile
from monitoring.samples.queries import Matchers

ChartUnit = Literal["percent", "seconds", "per_minute", "count"]

CALLS_TOTAL, CALL_SECONDS_SUM, CALL_SECONDS_COUNT, CALL_SECONDS_BUCKET = (
    "diagnosis_calls_total",
    "diagnosis_call_seconds_sum",
    "diagnosis_call_seconds_count",
    "diagnosis_call_seconds_bucket",
)
DIAGNOSES_ENDED_TOTAL, CACHE_LOOKUPS_TOTAL, HTTP_REQUESTS_TOTAL = (
    "diagnosis_ended_total",
    "cache_lookups_total",
    "http_requests_total",
)
CHART_COUNTERS = (
    CALLS_TOTAL,
    CALL_SECONDS_SUM,
    CALL_SECONDS_COUNT,
    CALL_SECONDS_BUCKET,
    DIAGNOSES_ENDED_TOTAL,
    CACHE_LOOKUPS_TOTAL,
    HTTP_REQUESTS_TOTAL,
)
SOCKETS_OPEN, POLLS_OPEN, DIAGNOSES_RUNNING, JOBS_WAITING = (
    "progress_sockets_open",
    "progress_polls_open",
    "diagnosis_running",
    "jobs_waiting",
)
CHART_GAUGES = (SOCKETS_OPEN, POLLS_OPEN, DIAGNOSES_RUNNING, JOBS_WAITING)

VALID_CALLS = [{"label": "outcome", "op": "=", "values": ["valid"]}]
DECIDED_CALLS = [{"label": "outcome", "op": "!=", "values": UNDECIDED_OUTCOMES}]
FAILED_CALLS = [{"label": "outcome", "op": "!=", "values": ["valid", *UNDECIDED_OUTCOMES]}]
# A stale value is served from the cache too.
CACHE_LOOKUPS = [{"label": "result", "op": "!=", "values": ["cold"]}]  # the others could not have hit
CACHE_HITS = [{"label": "result", "op": "=", "values": ["hit", "stale"]}]
ENDED_WITH_REPORT = [{"label": "status", "op": "=", "values": ["completed", "partial"]}]
ENDED_WITHOUT_REPORT = [{"label": "status", "op": "=", "values": ["failed", "timed_out"]}]
REQUESTS_WITHOUT_5XX = [{"label": "status", "op": "!=", "values": ["5xx"]}]
REQUESTS_WITH_5XX = [{"label": "status", "op": "=", "values": ["5xx"]}]

StepValues = list[float | None]


@dataclass(frozen=True)
class ChartLine:
    """One line, or one part of stacked bars; one value per step, None where there is none."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """`summary_value` covers the whole time range (the peak of a gauge); without data it is None and `nothing` is
    displayed.
    """

    name: str
    title: str
    unit: ChartUnit
    kind: Literal["lines", "bars"]
    edges: Sequence[datetime]
    lines: Sequence[ChartLine]
    summary_value: float | None
    nothing: str
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is no data to draw."""
        return self.summary_value is None


@dataclass(frozen=True)
class ErrorRow:
    """How often an error code occurred; `share` is relative to the most frequent, 0-1."""

    code: str
    count: int
    share: float


@dataclass(frozen=True)
class PlatformStats:
    """Calls of a platform in the time range; None where it was not called."""

    platform: str
    calls: float
    success: float | None
    mean_seconds: float | None


def build_charts(history: MetricHistory) -> list[Chart]:
    """Return every chart, in the order of the page."""
    no_calls = _("这段时间没有调用过平台。")
    success = _build_ratio_chart(
        history,
        "success",
        {"title": _("调用成功率"), "line": _("成功率"), "nothing": no_calls},
        history.get_increases(CALLS_TOTAL, VALID_CALLS),
        history.get_increases(CALLS_TOTAL, DECIDED_CALLS),
    )
    calls = {
        _("有效"): history.get_increases(CALLS_TOTAL, VALID_CALLS),
        _("失败"): history.get_increases(CALLS_TOTAL, FAILED_CALLS),
    }
    requests = {
        _("正常"): history.get_increases(HTTP_REQUESTS_TOTAL, REQUESTS_WITHOUT_5XX),
        _("服务器错误"): history.get_increases(HTTP_REQUESTS_TOTAL, REQUESTS_WITH_5XX),
    }
    cache = _build_ratio_chart(
        history,
        "cache",
        {"title": _("缓存命中率"), "line": _("命中率"), "nothing": _("这段时间没有查过缓存。")},
        history.get_increases(CACHE_LOOKUPS_TOTAL, CACHE_HITS),
        history.get_increases(CACHE_LOOKUPS_TOTAL, CACHE_LOOKUPS),
    )
    results = {
        _("有报告"): history.get_increases(DIAGNOSES_ENDED_TOTAL, ENDED_WITH_REPORT),
        _("没有报告"): history.get_increases(DIAGNOSES_ENDED_TOTAL, ENDED_WITHOUT_REPORT),
    }
    running = {_("运行中的诊断"): DIAGNOSES_RUNNING, _("等待的任务"): JOBS_WAITING}
    connections = {"WebSocket": SOCKETS_OPEN, _("长轮询"): POLLS_OPEN}
    return [
        success,
        _build_bar_chart(history, "calls", _("每分钟调用"), "per_minute", calls, no_calls),
        _build_latency_chart(history, no_calls),
        _build_bar_chart(history, "ended", _("诊断结果"), "count", results, _("这段时间没有诊断结束。")),
        _build_bar_chart(history, "requests", _("每分钟请求"), "per_minute", requests, _("这段时间没有请求。")),
        cache,
        _build_gauge_chart(history, "running", _("运行与排队"), running),
        _build_gauge_chart(history, "connections", _("连接"), connections),
    ]


def _build_ratio_chart(
    history: MetricHistory, name: str, texts: dict[str, str], parts: list[float], wholes: list[float]
) -> Chart:
    """Build a line of ratios; texts: title, line, nothing."""
    return Chart(
        name,
        texts["title"],
        "percent",
        "lines",
        history.edges,
        [ChartLine(texts["line"], _compute_ratios(parts, wholes))],
        _compute_ratio(sum(parts), sum(wholes)),
        texts["nothing"],
    )


def _build_bar_chart(
    history: MetricHistory, name: str, title: str, unit: ChartUnit, parts: dict[str, list[float]], nothing: str
) -> Chart:
    """Build stacked bars of increases, per minute or as they are."""
    is_rate = unit == "per_minute"
    step_minutes = history.time_range.step_seconds / 60 if is_rate else 1
    total_minutes = history.time_range.seconds / 60 if is_rate else 1
    lines = [ChartLine(label, [value / step_minutes for value in values]) for label, values in parts.items()]
    figure = sum(sum(values) for values in parts.values()) / total_minutes or None
    return Chart(name, title, unit, "bars", history.edges, lines, figure, nothing)


def _build_latency_chart(history: MetricHistory, nothing: str) -> Chart:
    sums, counts = history.get_increases(CALL_SECONDS_SUM), history.get_increases(CALL_SECONDS_COUNT)
    lines = [ChartLine(_("平均"), _compute_ratios(sums, counts))]
    buckets = history.get_increases_by_label(CALL_SECONDS_BUCKET, "le")
    if buckets:
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            steps = [{edge: values[step] for edge, values in buckets.items()} for step in range(history.step_count)]
            lines.append(ChartLine(label, [compute_percentile(step, share) for step in steps]))
    mean = _compute_ratio(sum(sums), sum(counts))
    return Chart("latency", _("调用耗时"), "seconds", "lines", history.edges, lines, mean, nothing)


def _build_gauge_chart(history: MetricHistory, name: str, title: str, metrics: dict[str, str]) -> Chart:
    lines = [ChartLine(label, history.get_peaks(metric)) for label, metric in metrics.items()]
    return Chart(
        name,
        title,
        "count",
        "lines",
        history.edges,
        lines,
        max((value for line in lines for value in line.values if value is not None), default=None),
        _("这段时间没有进程上报。"),
        note=_("每段时间里的最高值"),
    )


def list_frequent_errors(period: timedelta, limit: int = 12) -> list[ErrorRow]:
    """Return the error codes shown to users, most frequent first; counted as on the page of errors, by full hours."""
    top = count_shown_by_code(period, limit)
    return [ErrorRow(code, count, count / top[0][1]) for code, count in top]


def compute_platform_stats(history: MetricHistory) -> dict[str, PlatformStats]:
    """Return the statistics of the time range by platform."""
    good = _sum_by_platform(history, CALLS_TOTAL, VALID_CALLS)
    calls = _sum_by_platform(history, CALLS_TOTAL, DECIDED_CALLS)
    seconds, counts = _sum_by_platform(history, CALL_SECONDS_SUM), _sum_by_platform(history, CALL_SECONDS_COUNT)
    return {
        platform: PlatformStats(
            platform,
            calls.get(platform, 0.0),
            _compute_ratio(good.get(platform, 0.0), calls.get(platform, 0.0)),
            _compute_ratio(seconds.get(platform, 0.0), counts.get(platform, 0.0)),
        )
        for platform in sorted({*calls, *counts})
    }


def _sum_by_platform(history: MetricHistory, metric: str, matchers: Matchers = ()) -> dict[str, float]:
    groups = history.get_increases_by_label(metric, "platform", matchers)
    return {platform: sum(values) for platform, values in groups.items()}


def _compute_ratio(part: float, whole: float) -> float | None:
    """Ratios are computed from sums, never averaged; a ratio without any events is None, not 0 %."""
    return part / whole if whole > 0 else None


def _compute_ratios(parts: Sequence[float], wholes: Sequence[float]) -> StepValues:
    return [_compute_ratio(part, whole) for part, whole in zip(parts, wholes, strict=True)]
