"""Gauges computed from the database, which have the same value in every process of the site."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import Gauge

from monitoring.instrumentation.registry import iter_instruments

# Label values, in the order of the gauge's labels -> the value.
GaugeValues = Mapping[tuple[str, ...], float]


@dataclass
class SiteGauge:
    """A gauge with the function that computes its values (settings.SITE_GAUGES)."""

    gauge: Gauge
    fetch_values: Callable[[], GaugeValues]

    @property
    def name(self) -> str:
        """Its name in Prometheus."""
        return str(self.gauge._name)

    def measure(self) -> Iterator[tuple[dict[str, str], float]]:
        """Set the gauge for /metrics and yield each value with its labels; vanished label values become zero."""
        names = self.gauge._labelnames
        samples = next(iter(self.gauge.collect())).samples if names else []
        known = dict.fromkeys((tuple(sample.labels[name] for name in names) for sample in samples), 0.0)
        for labels, value in {**known, **self.fetch_values()}.items():
            (self.gauge.labels(*labels) if labels else self.gauge).set(value)
            yield dict(zip(names, labels, strict=True)), value


def get_site_gauges() -> list[SiteGauge]:
    """Return all gauges of settings.SITE_GAUGES. Raises LookupError for an unknown name."""
    gauges = {instrument._name: instrument for _app, instrument in iter_instruments() if isinstance(instrument, Gauge)}
    return [SiteGauge(gauges[name], import_string(path)) for name, path in settings.SITE_GAUGES.items()]


def count_waiting_jobs() -> GaugeValues:
    """Return the number of jobs that no worker has started, by queue."""
    waiting = ProcrastinateJob.objects.filter(status="todo").order_by().values_list("queue_name")
    return {(queue,): count for queue, count in waiting.annotate(count=Count("pk"))}
