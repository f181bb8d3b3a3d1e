"""The samples of a span of time, read once and asked often: what charts and tables are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from monitoring.models import Process, Series
from monitoring.samples.queries import SAMPLE_STALE_AFTER, Matchers, SeriesSelector, get_complete_until
from monitoring.samples.step_queries import read_gauges_at, read_increases_by_step

# A gauge is looked at so often within a step, and its highest value is shown: a peak must not fall between two looks.
GAUGE_READS_PER_STEP = 4


@dataclass(frozen=True)
class TimeRange:
    """How far back, and in which steps; both are multiples of a bucket."""

    name: str
    seconds: int
    step_seconds: int

    def edges(self, now: datetime) -> list[datetime]:
        """The edges of the steps, the oldest first; the last is where the samples are complete."""
        end = get_complete_until(now)
        count = self.seconds // self.step_seconds
        return [end - timedelta(seconds=self.step_seconds * number) for number in range(count, -1, -1)]


TIME_RANGES = {
    span.name: span
    for span in (TimeRange("1h", 3600, 60), TimeRange("24h", 86_400, 1800), TimeRange("7d", 604_800, 10_800))
}


class MetricHistory:
    """Increases of counters and values of gauges, step by step. The demo platform's count with DEMO=1 only."""

    def __init__(self, time_range: TimeRange, now: datetime, counters: Iterable[str], gauges: Iterable[str]) -> None:
        self.time_range = time_range
        self.edges = time_range.edges(now)
        self._labels: dict[str, dict[int, Mapping[str, str]]] = {}
        counters, gauges = set(counters), set(gauges)
        for pk, metric, labels in Series.objects.filter(metric__in=counters | gauges).values_list(
            "pk", "metric", "labels"
        ):
            if SeriesSelector(metric).matches(labels):
                self._labels.setdefault(metric, {})[pk] = labels
        ids = [pk for metric in counters for pk in self._labels.get(metric, ())]
        self._increases = read_increases_by_step(ids, self.edges)
        self._moments = _get_gauge_read_moments(self.edges)
        self._has_processes = _find_moments_with_processes(self._moments)

    @property
    def step_count(self) -> int:
        """How many steps."""
        return len(self.edges) - 1

    def get_increases(self, metric: str, matchers: Matchers = ()) -> list[float]:
        """By step, of all series of a counter that match."""
        selector = SeriesSelector(metric, matchers)
        rows = [
            self._increases[pk]
            for pk, labels in self._labels.get(metric, {}).items()
            if pk in self._increases and selector.matches(labels)
        ]
        return [sum(values) for values in zip(*rows, strict=True)] if rows else [0.0] * self.step_count

    def get_increases_by_label(self, metric: str, label: str, matchers: Matchers = ()) -> dict[str, list[float]]:
        """The same, apart for each value of a label that has moved."""
        selector = SeriesSelector(metric, matchers)
        groups: dict[str, list[list[float]]] = {}
        for pk, labels in self._labels.get(metric, {}).items():
            if pk in self._increases and selector.matches(labels):
                groups.setdefault(labels.get(label, ""), []).append(self._increases[pk])
        return {value: [sum(step) for step in zip(*rows, strict=True)] for value, rows in groups.items()}

    def get_peaks(self, metric: str) -> list[float | None]:
        """By step, the highest value of a gauge, of all processes together; None where no process has said anything."""
        ids = self._labels.get(metric, {})
        values = read_gauges_at(ids, self._moments) if ids else [None] * len(self._moments)
        # A gauge that was never anything but nought is not stored.
        filled = [
            0.0 if one is None and is_measured else one
            for one, is_measured in zip(values, self._has_processes, strict=True)
        ]
        return [
            _max_known(filled[at : at + GAUGE_READS_PER_STEP]) for at in range(0, len(filled), GAUGE_READS_PER_STEP)
        ]

    def has_demo(self) -> bool:
        """Whether anything of the demo platform is counted in."""
        return any(
            labels.get("demo") == "true" and pk in self._increases
            for series in self._labels.values()
            for pk, labels in series.items()
        )


def _get_gauge_read_moments(edges: Sequence[datetime]) -> list[datetime]:
    """The moments at which gauges are looked at: so many a step, the last at its end."""
    return [
        start + (end - start) * number / GAUGE_READS_PER_STEP
        for start, end in pairwise(edges)
        for number in range(1, GAUGE_READS_PER_STEP + 1)
    ]


def _max_known(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _find_moments_with_processes(moments: Sequence[datetime]) -> list[bool]:
    """At which moments any process that serves or works was there."""
    kinds = [Process.Kind.SERVER, Process.Kind.WORKER]
    processes = Process.objects.filter(
        kind__in=kinds, seen_at__gte=moments[0] - SAMPLE_STALE_AFTER, started_at__lt=moments[-1]
    )
    spans = list(processes.values_list("started_at", "seen_at"))
    return [any(started < moment <= seen + SAMPLE_STALE_AFTER for started, seen in spans) for moment in moments]
