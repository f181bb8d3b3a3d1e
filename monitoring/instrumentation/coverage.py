"""What of the site is counted: its list comes from the code, so what is new is uncovered until it is counted.

A surface is a route of the URL resolver, a socket route, a registered job, a management command or a module that calls
other services. It is covered when a counter, a duration and an error label tell of it: the three instruments of its
kind exist in the registry with the labels that say which one it was and how it ended, and the one place through which
all of its kind must pass is in its way.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.management import get_commands
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string
from procrastinate.contrib.django import app as procrastinate_app

from monitoring.instrumentation.client_audit import ClientModule, find_client_modules
from monitoring.instrumentation.jobs import is_counting_jobs
from monitoring.instrumentation.registry import Metric, get_metrics
from monitoring.instrumentation.sockets import UNMATCHED_ROUTE, MeasuredSocket

COUNTER, DURATION, ERROR_LABEL = "counter", "duration", "error label"
REQUIRED_INSTRUMENTS = (COUNTER, DURATION, ERROR_LABEL)
REQUEST_MIDDLEWARE = "monitoring.instrumentation.http.count_requests"
EXTERNAL_COMMANDS = {"procrastinate"}  # not ours, but what our workers are


@dataclass(frozen=True)
class SurfaceInstruments:
    """What tells of a kind: the label `by` says which one it was, `error` how it ended."""

    counter: str
    duration: str
    name_label: str
    error_label: str


INSTRUMENTS_BY_KIND = {
    "route": SurfaceInstruments("http_requests_total", "http_request_seconds", "route", "status"),
    "socket": SurfaceInstruments("socket_connections_total", "socket_seconds", "route", "code"),
    "job": SurfaceInstruments("jobs_total", "job_seconds", "task", "outcome"),
    "command": SurfaceInstruments("commands_total", "command_seconds", "command", "outcome"),
    "client": SurfaceInstruments("outgoing_calls_total", "outgoing_call_seconds", "client", "outcome"),
}


@dataclass(frozen=True)
class Surface:
    """Something that happens at the site, and what does not tell of it."""

    kind: str
    name: str
    missing: tuple[str, ...]
    why: str = ""

    @property
    def is_covered(self) -> bool:
        """Whether counter, duration and error label are there."""
        return not self.missing


def find_surfaces() -> list[Surface]:
    """Every surface of the site as it is configured now."""
    metrics = get_metrics()
    missing = {kind: _find_missing_instruments(one, metrics) for kind, one in INSTRUMENTS_BY_KIND.items()}
    return [
        Surface(
            kind,
            name,
            REQUIRED_INSTRUMENTS if why else missing[kind],
            why or ("no such instrument" if missing[kind] else ""),
        )
        for kind, name, why in _iter_surfaces()
    ]


def _find_missing_instruments(instruments: SurfaceInstruments, metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    counter, duration = metrics.get(instruments.counter), metrics.get(instruments.duration)
    is_present = {
        COUNTER: counter is not None and counter.kind == "counter" and instruments.name_label in counter.labels,
        DURATION: duration is not None and duration.kind == "histogram" and instruments.name_label in duration.labels,
        ERROR_LABEL: counter is not None and instruments.error_label in counter.labels,
    }
    return tuple(name for name in REQUIRED_INSTRUMENTS if not is_present[name])


def _iter_surfaces() -> Iterator[tuple[str, str, str]]:
    """(kind, name, why nothing passes through the counting; empty when it does)"""
    protocols = _get_protocol_handlers()
    for route in sorted(set(_iter_routes(get_resolver()))):
        yield "route", route or "/", _explain_uncounted_requests(protocols.get("http"))
    for route, callback in _iter_socket_routes(protocols.get("websocket")):
        yield "socket", route, "" if isinstance(callback, MeasuredSocket) else "not in measured_routes()"
    why = "" if is_counting_jobs(procrastinate_app) else "PROCRASTINATE_ON_APP_READY does not count jobs"
    for task in sorted({task.name for task in procrastinate_app.tasks.values()}):
        yield "job", task, why
    why = (
        ""
        if _is_counting_commands(Path(settings.BASE_DIR) / "manage.py")
        else "manage.py does not call execute_measured"
    )
    for command in _list_own_commands():
        yield "command", command, why
    for module in get_own_client_modules():
        yield "client", module.name, "; ".join(module.uncounted_calls)


@cache
def get_own_client_modules() -> list[ClientModule]:
    """The modules of this project that call others; read once, for the source of a process stays what it is."""
    return find_client_modules(get_own_package_paths())


def get_own_package_paths() -> list[Path]:
    """The directories of the apps that are part of this project."""
    root = Path(settings.BASE_DIR)
    paths = [Path(one.path) for one in apps.get_app_configs()]
    return [path for path in paths if path.parent == root]


def _get_protocol_handlers() -> Mapping[str, Any]:
    return dict(import_string(settings.ASGI_APPLICATION).application_mapping)


def _iter_routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from _iter_routes(pattern, route)
        else:
            yield route


def _explain_uncounted_requests(handler: Any) -> str:
    if not isinstance(handler, ASGIHandler):
        return "HTTP does not go to Django"
    # Behind another middleware, what that one answers by itself would be missing.
    return (
        "" if settings.MIDDLEWARE[:1] == [REQUEST_MIDDLEWARE] else f"{REQUEST_MIDDLEWARE} is not the first middleware"
    )


def _iter_socket_routes(application: Any) -> Iterator[tuple[str, Any]]:
    while application is not None and not hasattr(application, "routes"):
        application = getattr(application, "inner", None) or getattr(application, "application", None)
    for route in application.routes if application is not None else ():
        yield str(route.pattern) or UNMATCHED_ROUTE, route.callback


def _list_own_commands() -> list[str]:
    own_app_names = {one.name for one in apps.get_app_configs() if Path(one.path) in get_own_package_paths()}
    return sorted(
        name for name, app_name in get_commands().items() if app_name in own_app_names or name in EXTERNAL_COMMANDS
    )


def _is_counting_commands(manage: Path) -> bool:
    calls = [node.func for node in ast.walk(ast.parse(manage.read_bytes())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    return "execute_measured" in names and "execute_from_command_line" not in names
