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

from monitoring.clients import ClientModule, client_modules
from monitoring.jobs import is_counting
from monitoring.registry import Metric, catalogue
from monitoring.sockets import UNMATCHED, MeasuredSocket

COUNTER, DURATION, ERROR_LABEL = "counter", "duration", "error label"
ALL = (COUNTER, DURATION, ERROR_LABEL)
REQUEST_MIDDLEWARE = "monitoring.http.count_requests"
FOREIGN_COMMANDS = {"procrastinate"}  # not ours, but what our workers are


@dataclass(frozen=True)
class Instruments:
    """What tells of a kind: the label `by` says which one it was, `error` how it ended."""

    counter: str
    duration: str
    by: str
    error: str


INSTRUMENTS = {
    "route": Instruments("http_requests_total", "http_request_seconds", "route", "status"),
    "socket": Instruments("socket_connections_total", "socket_seconds", "route", "code"),
    "job": Instruments("jobs_total", "job_seconds", "task", "outcome"),
    "command": Instruments("commands_total", "command_seconds", "command", "outcome"),
    "client": Instruments("outgoing_calls_total", "outgoing_call_seconds", "client", "outcome"),
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
    metrics = catalogue()
    missing = {kind: _missing_instruments(one, metrics) for kind, one in INSTRUMENTS.items()}
    return [
        Surface(kind, name, ALL if why else missing[kind], why or ("no such instrument" if missing[kind] else ""))
        for kind, name, why in _everything()
    ]


def _missing_instruments(one: Instruments, metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    counter, duration = metrics.get(one.counter), metrics.get(one.duration)
    is_there = {
        COUNTER: counter is not None and counter.kind == "counter" and one.by in counter.labels,
        DURATION: duration is not None and duration.kind == "histogram" and one.by in duration.labels,
        ERROR_LABEL: counter is not None and one.error in counter.labels,
    }
    return tuple(name for name in ALL if not is_there[name])


def _everything() -> Iterator[tuple[str, str, str]]:
    """(kind, name, why nothing passes through the counting; empty when it does)"""
    protocols = _protocols()
    for route in sorted(set(_routes_of(get_resolver()))):
        yield "route", route or "/", _why_requests_are_not_counted(protocols.get("http"))
    for route, callback in _socket_routes(protocols.get("websocket")):
        yield "socket", route, "" if isinstance(callback, MeasuredSocket) else "not in measured_routes()"
    why = "" if is_counting(procrastinate_app) else "PROCRASTINATE_ON_APP_READY does not count jobs"
    for task in sorted({task.name for task in procrastinate_app.tasks.values()}):
        yield "job", task, why
    why = "" if _counts_commands(Path(settings.BASE_DIR) / "manage.py") else "manage.py does not call execute_measured"
    for command in _our_commands():
        yield "command", command, why
    for module in our_clients():
        yield "client", module.name, "; ".join(module.uncounted)


@cache
def our_clients() -> list[ClientModule]:
    """The modules of this project that call others; read once, for the source of a process stays what it is."""
    return client_modules(our_packages())


def our_packages() -> list[Path]:
    """The directories of the apps that are part of this project."""
    root = Path(settings.BASE_DIR)
    paths = [Path(one.path) for one in apps.get_app_configs()]
    return [path for path in paths if path.parent == root]


def _protocols() -> Mapping[str, Any]:
    return dict(import_string(settings.ASGI_APPLICATION).application_mapping)


def _routes_of(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from _routes_of(pattern, route)
        else:
            yield route


def _why_requests_are_not_counted(handler: Any) -> str:
    if not isinstance(handler, ASGIHandler):
        return "HTTP does not go to Django"
    # Behind another middleware, what that one answers by itself would be missing.
    return (
        "" if settings.MIDDLEWARE[:1] == [REQUEST_MIDDLEWARE] else f"{REQUEST_MIDDLEWARE} is not the first middleware"
    )


def _socket_routes(application: Any) -> Iterator[tuple[str, Any]]:
    while application is not None and not hasattr(application, "routes"):
        application = getattr(application, "inner", None) or getattr(application, "application", None)
    for route in application.routes if application is not None else ():
        yield str(route.pattern) or UNMATCHED, route.callback


def _our_commands() -> list[str]:
    ours = {one.name for one in apps.get_app_configs() if Path(one.path) in our_packages()}
    return sorted(name for name, of_app in get_commands().items() if of_app in ours or name in FOREIGN_COMMANDS)


def _counts_commands(manage: Path) -> bool:
    calls = [node.func for node in ast.walk(ast.parse(manage.read_bytes())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    return "execute_measured" in names and "execute_from_command_line" not in names
