"""The registry of all metrics: which series processes store, which names rules may use, what the documents list.

To add a metric, define a Counter, Gauge or Histogram of prometheus_client in the `metrics.py` of its app and update it
where the event occurs: the registry finds it. A gauge computed from the database is filled by a function in
settings.SITE_GAUGES (db_gauges.py). Then update docs/reference/metrics.md (`manage.py list_metrics --update`). An alert
rule on the metric is added in monitoring/rules/defaults.py.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.apps import apps
from django.utils.module_loading import module_has_submodule
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

MetricKind = Literal["counter", "gauge", "histogram"]

# Metrics of libraries: module -> app label in the registry.
EXTERNAL_METRIC_MODULES = {"django_prometheus.db.metrics": "django_prometheus"}
_KIND_BY_INSTRUMENT_TYPE: dict[type[MetricWrapperBase], MetricKind] = {
    Counter: "counter",
    Gauge: "gauge",
    Histogram: "histogram",
}


@dataclass(frozen=True)
class Metric:
    """A metric named as in Prometheus: a counter ends in `_total`, a histogram has its family's name."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...]
    app: str

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names of its stored series."""
        return (f"{self.name}_sum", f"{self.name}_count") if self.kind == "histogram" else (self.name,)


def get_metrics() -> dict[str, Metric]:
    """Return every metric by name: app by app, in alphabetical order within each."""
    metrics = []
    for app, instrument in iter_instruments():
        kind = _KIND_BY_INSTRUMENT_TYPE[type(instrument)]
        family = next(iter(instrument.describe()))
        name = f"{family.name}_total" if kind == "counter" else family.name
        # `collect` reports labels only once the instrument has values.
        metrics.append(Metric(name, kind, family.documentation, tuple(instrument._labelnames), app))
    order = {metric.app: number for number, metric in reversed(list(enumerate(metrics)))}
    return {metric.name: metric for metric in sorted(metrics, key=lambda metric: (order[metric.app], metric.name))}


def get_series_names() -> frozenset[str]:
    """Return every name that a stored series can have."""
    return frozenset(name for metric in get_metrics().values() for name in metric.series_names)


def iter_instruments() -> Iterator[tuple[str, MetricWrapperBase]]:
    """Yield (app label, instrument) from the `metrics.py` of every app, and from EXTERNAL_METRIC_MODULES."""
    modules = {
        f"{app.name}.metrics": app.label
        for app in apps.get_app_configs()
        if app.module is not None and module_has_submodule(app.module, "metrics")
    }
    for module, label in (modules | EXTERNAL_METRIC_MODULES).items():
        for instrument in vars(importlib.import_module(module)).values():
            if type(instrument) in _KIND_BY_INSTRUMENT_TYPE:
                yield label, instrument
