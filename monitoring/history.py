"""The samples of a span of time, read once and asked often: what charts and tables are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from monitoring.models import Process, Series
from monitoring.steps import read_gauges_at, read_increases_by_step
from monitoring.windows import ALIVE, Matchers, Selector, end_of_samples

# A gauge is looked at so often within a step, and its highest value is shown: a peak must not fall between two looks.
LOOKS_A_STEP = 4


@dataclass(frozen=True)
class Span:
    """How far back, and in which steps; both are multiples of a bucket."""

    name: str
    seconds: int
    step_seconds: int

    def edges(self, now: datetime) -> list[datetime]:
        """The edges of the steps, the oldest first; the last is where the samples are complete."""
        end = end_of_samples(now)
        count = self.seconds // self.step_seconds
        return [end - timedelta(seconds=self.step_seconds * number) for number in range(count, -1, -1)]


SPANS = {span.name: span for span in (Span("1h", 3600, 60), Span("24h", 86_400, 1800), Span("7d", 604_800, 10_800))}


class History:
    """Increases of counters and values of gauges, step by step. The demo platform's count with DEMO=1 only."""

    def __init__(self, span: Span, now: datetime, counters: Iterable[str], gauges: Iterable[str]) -> None:
        self.span = span
        self.edges = span.edges(now)
        self._labels: dict[str, dict[int, Mapping[str, str]]] = {}
        counters, gauges = set(counters), set(gauges)
        for pk, metric, labels in Series.objects.filter(metric__in=counters | gauges).values_list(
            "pk", "metric", "labels"
        ):
            if Selector(metric).takes(labels):
                self._labels.setdefault(metric, {})[pk] = labels
        ids = [pk for metric in counters for pk in self._labels.get(metric, ())]
        self._increases = read_increases_by_step(ids, self.edges)
        self._moments = _looks(self.edges)
        self._is_measured = _moments_with_processes(self._moments)

    @property
    def steps(self) -> int:
        """How many steps."""
        return len(self.edges) - 1

    def increases(self, metric: str, matchers: Matchers = ()) -> list[float]:
        """By step, of all series of a counter that match."""
        selector = Selector(metric, matchers)
        rows = [
            self._increases[pk]
            for pk, labels in self._labels.get(metric, {}).items()
            if pk in self._increases and selector.takes(labels)
        ]
        return [sum(values) for values in zip(*rows, strict=True)] if rows else [0.0] * self.steps

    def increases_by_label(self, metric: str, label: str, matchers: Matchers = ()) -> dict[str, list[float]]:
        """The same, apart for each value of a label that has moved."""
        selector = Selector(metric, matchers)
        groups: dict[str, list[list[float]]] = {}
        for pk, labels in self._labels.get(metric, {}).items():
            if pk in self._increases and selector.takes(labels):
                groups.setdefault(labels.get(label, ""), []).append(self._increases[pk])
        return {value: [sum(step) for step in zip(*rows, strict=True)] for value, rows in groups.items()}

    def peaks(self, metric: str) -> list[float | None]:
        """By step, the highest value of a gauge, of all processes together; None where no process has said anything."""
        ids = self._labels.get(metric, {})
        values = read_gauges_at(ids, self._moments) if ids else [None] * len(self._moments)
        # A gauge that was never anything but nought is not stored.
        filled = [
            0.0 if one is None and is_measured else one
            for one, is_measured in zip(values, self._is_measured, strict=True)
        ]
        return [_highest(filled[at : at + LOOKS_A_STEP]) for at in range(0, len(filled), LOOKS_A_STEP)]

    def has_demo(self) -> bool:
        """Whether anything of the demo platform is counted in."""
        return any(
            labels.get("demo") == "true" and pk in self._increases
            for series in self._labels.values()
            for pk, labels in series.items()
        )


def _looks(edges: Sequence[datetime]) -> list[datetime]:
    """The moments at which gauges are looked at: so many a step, the last at its end."""
    return [
        start + (end - start) * number / LOOKS_A_STEP
        for start, end in pairwise(edges)
        for number in range(1, LOOKS_A_STEP + 1)
    ]


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _moments_with_processes(moments: Sequence[datetime]) -> list[bool]:
    """At which moments any process that serves or works was there."""
    kinds = [Process.Kind.SERVER, Process.Kind.WORKER]
    lives = Process.objects.filter(kind__in=kinds, seen_at__gte=moments[0] - ALIVE, started_at__lt=moments[-1])
    spans = list(lives.values_list("started_at", "seen_at"))
    return [any(started < moment <= seen + ALIVE for started, seen in spans) for moment in moments]
