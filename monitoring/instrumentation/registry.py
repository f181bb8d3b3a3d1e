"""The catalogue of our metrics: what processes store, what rules may name, what docs/reference/metrics.md lists."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from django.apps import apps
from django.utils.module_loading import module_has_submodule
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

MetricKind = Literal["counter", "gauge", "histogram"]

# What others measure for us: module -> the app that the catalogue names.
EXTERNAL_METRIC_MODULES = {"django_prometheus.db.metrics": "django_prometheus"}
_KIND_BY_INSTRUMENT_TYPE: dict[type[MetricWrapperBase], MetricKind] = {
    Counter: "counter",
    Gauge: "gauge",
    Histogram: "histogram",
}


@dataclass(frozen=True)
class Metric:
    """One metric as Prometheus names it: a counter ends in `_total`, a histogram is named by its family."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...]
    app: str

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names under which its values are stored as samples."""
        return (f"{self.name}_sum", f"{self.name}_count") if self.kind == "histogram" else (self.name,)


def get_metrics() -> dict[str, Metric]:
    """Every metric of ours by its name: app by app, in the order of the alphabet."""
    metrics = [_build_metric(app, instrument) for app, instrument in iter_instruments()]
    order = {metric.app: number for number, metric in reversed(list(enumerate(metrics)))}
    return {metric.name: metric for metric in sorted(metrics, key=lambda metric: (order[metric.app], metric.name))}


def get_series_names() -> frozenset[str]:
    """Every name that a stored series can have."""
    return frozenset(name for metric in get_metrics().values() for name in metric.series_names)


def iter_instruments() -> Iterator[tuple[str, MetricWrapperBase]]:
    """Every instrument in the `metrics.py` of an app of ours, and of EXTERNAL_METRIC_MODULES, with its app's label."""
    for module, app in _iter_metric_modules():
        for instrument in vars(importlib.import_module(module)).values():
            if type(instrument) in _KIND_BY_INSTRUMENT_TYPE:
                yield app, instrument


def _iter_metric_modules() -> Iterator[tuple[str, str]]:
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "metrics"):
            yield f"{app.name}.metrics", app.label
    yield from EXTERNAL_METRIC_MODULES.items()


def _build_metric(app: str, instrument: MetricWrapperBase) -> Metric:
    kind = _KIND_BY_INSTRUMENT_TYPE[type(instrument)]
    family = next(iter(instrument.describe()))
    name = f"{family.name}_total" if kind == "counter" else family.name
    # prometheus_client tells the labels of values, but of an instrument without any value only here.
    return Metric(name, kind, family.documentation, tuple(instrument._labelnames), app)
