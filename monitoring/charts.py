"""What the dashboard draws: each chart's lines, its figure for the whole span, and words for when there is nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from monitoring.history import History
from monitoring.percentiles import percentile
from monitoring.windows import Matchers

Unit = Literal["percent", "seconds", "per_minute", "count"]

CALLS, CALL_SUM, CALL_COUNT, CALL_BUCKETS = (
    "diagnosis_calls_total",
    "diagnosis_call_seconds_sum",
    "diagnosis_call_seconds_count",
    "diagnosis_call_seconds_bucket",
)
ENDED, ERRORS, CACHE, REQUESTS = "diagnosis_ended_total", "errors_total", "cache_lookups_total", "http_requests_total"
COUNTERS = (CALLS, CALL_SUM, CALL_COUNT, CALL_BUCKETS, ENDED, ERRORS, CACHE, REQUESTS)
SOCKETS, POLLS, RUNNING, WAITING = "progress_sockets_open", "progress_polls_open", "diagnosis_running", "jobs_waiting"
GAUGES = (SOCKETS, POLLS, RUNNING, WAITING)

VALID = [{"label": "outcome", "op": "=", "values": ["valid"]}]
# Somebody who cancels does not make a platform fail.
JUDGED = [{"label": "outcome", "op": "!=", "values": ["cancelled"]}]
FAILED = [{"label": "outcome", "op": "!=", "values": ["valid", "cancelled"]}]
# A stale answer was given out of the cache too.
HITS = [{"label": "result", "op": "=", "values": ["hit", "stale"]}]
WITH_REPORT = [{"label": "status", "op": "=", "values": ["completed", "partial"]}]
WITHOUT_REPORT = [{"label": "status", "op": "=", "values": ["failed", "timed_out"]}]
ANSWERED = [{"label": "status", "op": "!=", "values": ["5xx"]}]
BROKEN = [{"label": "status", "op": "=", "values": ["5xx"]}]

Values = list[float | None]


@dataclass(frozen=True)
class Line:
    """One line, or one part of the bars; a value a step, None where there is none."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """`figure` is that of the whole span, or the latest of a gauge; None without data, of which `nothing` tells."""

    name: str
    title: str
    unit: Unit
    kind: Literal["lines", "bars"]
    edges: Sequence[datetime]
    lines: Sequence[Line]
    figure: float | None
    nothing: str
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.figure is None


@dataclass(frozen=True)
class ErrorRow:
    """How often a code was seen; `share` of the most frequent, 0-1."""

    code: str
    count: float
    share: float


@dataclass(frozen=True)
class PlatformRow:
    """What a platform did over the span; None where it was not called."""

    platform: str
    calls: float
    success: float | None
    mean_seconds: float | None


def draw_all(history: History) -> list[Chart]:
    """Every chart, in the order of the page."""
    charts = (_success, _calls, _latency, _ended, _requests, _cache, _running, _connections)
    return [chart(history) for chart in charts]


def _success(history: History) -> Chart:
    good, all_calls = history.increases(CALLS, VALID), history.increases(CALLS, JUDGED)
    return Chart(
        "success",
        _("调用成功率"),
        "percent",
        "lines",
        history.edges,
        [Line(_("成功率"), _ratios(good, all_calls))],
        _ratio(sum(good), sum(all_calls)),
        _("这段时间没有调用过平台。"),
    )


def _calls(history: History) -> Chart:
    return _rates(
        history,
        "calls",
        _("每分钟调用"),
        {_("有效"): history.increases(CALLS, VALID), _("失败"): history.increases(CALLS, FAILED)},
        _("这段时间没有调用过平台。"),
    )


def _requests(history: History) -> Chart:
    return _rates(
        history,
        "requests",
        _("每分钟请求"),
        {_("正常"): history.increases(REQUESTS, ANSWERED), _("服务器错误"): history.increases(REQUESTS, BROKEN)},
        _("这段时间没有请求。"),
    )


def _rates(history: History, name: str, title: str, parts: dict[str, list[float]], nothing: str) -> Chart:
    """Bars of so many a minute, one part on the other."""
    minutes = history.span.step_seconds / 60
    lines = [Line(label, [value / minutes for value in values]) for label, values in parts.items()]
    total = sum(sum(values) for values in parts.values())
    figure = total * 60 / history.span.seconds or None
    return Chart(name, title, "per_minute", "bars", history.edges, lines, figure, nothing)


def _latency(history: History) -> Chart:
    sums, counts = history.increases(CALL_SUM), history.increases(CALL_COUNT)
    lines = [Line(_("平均"), _ratios(sums, counts))]
    buckets = history.increases_by_label(CALL_BUCKETS, "le")
    if buckets:
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            steps = [{edge: values[step] for edge, values in buckets.items()} for step in range(history.steps)]
            lines.append(Line(label, [percentile(step, share) for step in steps]))
    return Chart(
        "latency",
        _("调用耗时"),
        "seconds",
        "lines",
        history.edges,
        lines,
        _ratio(sum(sums), sum(counts)),
        _("这段时间没有调用过平台。"),
    )


def _ended(history: History) -> Chart:
    good, bad = history.increases(ENDED, WITH_REPORT), history.increases(ENDED, WITHOUT_REPORT)
    return Chart(
        "ended",
        _("诊断结果"),
        "count",
        "bars",
        history.edges,
        [Line(_("有报告"), good), Line(_("没有报告"), bad)],
        sum(good) + sum(bad) or None,
        _("这段时间没有诊断结束。"),
    )


def _cache(history: History) -> Chart:
    hits, lookups = history.increases(CACHE, HITS), history.increases(CACHE)
    return Chart(
        "cache",
        _("缓存命中率"),
        "percent",
        "lines",
        history.edges,
        [Line(_("命中率"), _ratios(hits, lookups))],
        _ratio(sum(hits), sum(lookups)),
        _("这段时间没有查过缓存。"),
    )


def _running(history: History) -> Chart:
    return _gauges(history, "running", _("运行与排队"), {_("运行中的诊断"): RUNNING, _("等待的任务"): WAITING})


def _connections(history: History) -> Chart:
    return _gauges(history, "connections", _("连接"), {"WebSocket": SOCKETS, _("长轮询"): POLLS})


def _gauges(history: History, name: str, title: str, metrics: dict[str, str]) -> Chart:
    lines = [Line(label, history.peaks(metric)) for label, metric in metrics.items()]
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


def list_errors(history: History, most: int = 12) -> list[ErrorRow]:
    """The codes that people were shown most often, the most frequent first."""
    shown = [{"label": "outcome", "op": "=", "values": ["shown"]}]
    counts = {code: sum(values) for code, values in history.increases_by_label(ERRORS, "code", shown).items()}
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [ErrorRow(code, count, count / top[0][1]) for code, count in top if count]


def list_platforms(history: History) -> dict[str, PlatformRow]:
    """By platform, what it did over the span."""
    good = _sums(history, CALLS, VALID)
    calls = _sums(history, CALLS, JUDGED)
    seconds, counts = _sums(history, CALL_SUM), _sums(history, CALL_COUNT)
    return {
        platform: PlatformRow(
            platform,
            calls.get(platform, 0.0),
            _ratio(good.get(platform, 0.0), calls.get(platform, 0.0)),
            _ratio(seconds.get(platform, 0.0), counts.get(platform, 0.0)),
        )
        for platform in sorted({*calls, *counts})
    }


def _sums(history: History, metric: str, matchers: Matchers = ()) -> dict[str, float]:
    groups = history.increases_by_label(metric, "platform", matchers)
    return {platform: sum(values) for platform, values in groups.items()}


def _ratio(part: float, whole: float) -> float | None:
    """Sums, never an average of ratios; nothing asked is not 0 %."""
    return part / whole if whole > 0 else None


def _ratios(parts: Sequence[float], wholes: Sequence[float]) -> Values:
    return [_ratio(part, whole) for part, whole in zip(parts, wholes, strict=True)]
