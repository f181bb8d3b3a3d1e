"""Gauges whose value is a question to the database: the same for the whole site, whoever asks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import Gauge

from monitoring.instrumentation.registry import iter_instruments

# The values of the labels, in their order -> the value.
GaugeValues = Mapping[tuple[str, ...], float]


@dataclass
class SiteGauge:
    """A gauge and what measures it (settings.SITE_GAUGES)."""

    gauge: Gauge
    fetch_values: Callable[[], GaugeValues]

    @property
    def name(self) -> str:
        """As Prometheus names it."""
        return str(self.gauge._name)

    def measure(self) -> Iterator[tuple[dict[str, str], float]]:
        """Ask, put the values into the gauge for /metrics, and yield each with its labels; what is gone is nought."""
        values = {**dict.fromkeys(self._get_known_label_values(), 0.0), **self.fetch_values()}
        for labels, value in values.items():
            (self.gauge.labels(*labels) if labels else self.gauge).set(value)
            yield dict(zip(self.gauge._labelnames, labels, strict=True)), value

    def _get_known_label_values(self) -> list[tuple[str, ...]]:
        names = self.gauge._labelnames
        samples = next(iter(self.gauge.collect())).samples
        return [tuple(sample.labels[name] for name in names) for sample in samples] if names else []


def get_site_gauges() -> list[SiteGauge]:
    """All of settings.SITE_GAUGES. Raises LookupError for a name that is no gauge of ours."""
    gauges = {one._name: one for _app, one in iter_instruments() if isinstance(one, Gauge)}
    return [SiteGauge(gauges[name], import_string(path)) for name, path in settings.SITE_GAUGES.items()]


def count_waiting_jobs() -> GaugeValues:
    """Jobs that no worker has taken yet, by queue."""
    waiting = ProcrastinateJob.objects.filter(status="todo").order_by().values_list("queue_name")
    return {(queue,): count for queue, count in waiting.annotate(count=Count("pk"))}
