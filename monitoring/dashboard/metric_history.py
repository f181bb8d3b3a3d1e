"""The samples of a time range, read once, for charts and tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings

from monitoring.models import Process, Series
from monitoring.samples.queries import SAMPLE_STALE_AFTER, Matchers, SeriesSelector, get_complete_until
from monitoring.samples.step_queries import read_gauges_at, read_increases_by_step

# Of a gauge the highest of several values per step is shown, so that short peaks are visible.
GAUGE_READS_PER_STEP = 4


@dataclass(frozen=True)
class TimeRange:
    """A time range before now with its step; both are multiples of a bucket."""

    name: str
    seconds: int
    step_seconds: int

    def edges(self, now: datetime) -> list[datetime]:
        """Return the edges of the steps, oldest first; the last is where the samples are complete."""
        end = get_complete_until(now)
        count = self.seconds // self.step_seconds
        return [end - timedelta(seconds=self.step_seconds * number) for number in range(count, -1, -1)]


TIME_RANGES = {
    time_range.name: time_range
    for time_range in (TimeRange("1h", 3600, 60), TimeRange("24h", 86_400, 1800), TimeRange("7d", 604_800, 10_800))
}


class MetricHistory:
    """Increases of counters and values of gauges by step; with the demo platform's only if DEMO=1."""

    def __init__(self, time_range: TimeRange, now: datetime, counters: Iterable[str], gauges: Iterable[str]) -> None:
        self.time_range = time_range
        self.edges = time_range.edges(now)
        self._labels: dict[str, dict[int, Mapping[str, str]]] = {}
        counters, gauges = set(counters), set(gauges)
        rows = Series.objects.filter(metric__in=counters | gauges).values_list("pk", "metric", "labels")
        for pk, metric, labels in rows:
            if SeriesSelector(metric, includes_demo=settings.DEMO).matches(labels):
                self._labels.setdefault(metric, {})[pk] = labels
        ids = [pk for metric in counters for pk in self._labels.get(metric, ())]
        self._increases = read_increases_by_step(ids, self.edges)
        self._moments = [
            start + (end - start) * number / GAUGE_READS_PER_STEP
            for start, end in pairwise(self.edges)
            for number in range(1, GAUGE_READS_PER_STEP + 1)
        ]
        first, last = self._moments[0], self._moments[-1]
        processes = Process.objects.filter(
            kind__in=[Process.Kind.SERVER, Process.Kind.WORKER],
            seen_at__gte=first - SAMPLE_STALE_AFTER,
            started_at__lt=last,
        )
        runs = [(start, seen + SAMPLE_STALE_AFTER) for start, seen in processes.values_list("started_at", "seen_at")]
        self._has_processes = [any(start < moment <= end for start, end in runs) for moment in self._moments]

    @property
    def step_count(self) -> int:
        """The number of steps."""
        return len(self.edges) - 1

    def get_increases(self, metric: str, matchers: Matchers = ()) -> list[float]:
        """Return, by step, the increase of all matching series of a counter."""
        selector = SeriesSelector(metric, matchers, settings.DEMO)
        rows = [
            self._increases[pk]
            for pk, labels in self._labels.get(metric, {}).items()
            if pk in self._increases and selector.matches(labels)
        ]
        return [sum(values) for values in zip(*rows, strict=True)] if rows else [0.0] * self.step_count

    def get_increases_by_label(self, metric: str, label: str, matchers: Matchers = ()) -> dict[str, list[float]]:
        """Return the increases by step for each value of a label, without unchanged series."""
        selector = SeriesSelector(metric, matchers, settings.DEMO)
        groups: dict[str, list[list[float]]] = {}
        for pk, labels in self._labels.get(metric, {}).items():
            if pk in self._increases and selector.matches(labels):
                groups.setdefault(labels.get(label, ""), []).append(self._increases[pk])
        return {value: [sum(step) for step in zip(*rows, strict=True)] for value, rows in groups.items()}

    def get_peaks(self, metric: str) -> list[float | None]:
        """Return, by step, the highest value of a gauge, summed over processes; None where no process ran."""
        ids = self._labels.get(metric, {})
        values = read_gauges_at(ids, self._moments) if ids else [None] * len(self._moments)
        # Gauges that have always been zero are not stored.
        filled = [
            0.0 if value is None and has_processes else value
            for value, has_processes in zip(values, self._has_processes, strict=True)
        ]
        steps = [filled[start : start + GAUGE_READS_PER_STEP] for start in range(0, len(filled), GAUGE_READS_PER_STEP)]
        return [max((value for value in step if value is not None), default=None) for step in steps]

    def has_demo(self) -> bool:
        """Return whether series of the demo platform are included."""
        return any(
            labels.get("demo") == "true" and pk in self._increases
            for series in self._labels.values()
            for pk, labels in series.items()
        )
