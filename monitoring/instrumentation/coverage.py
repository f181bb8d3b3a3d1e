"""Checks that every surface of the site is counted. The list of surfaces is derived from the code.

A surface is a route of the URL resolver, a socket route, a registered job, a management command, or a module that calls
other services. It is covered if the counter, the duration and the error label of its kind exist in the registry, and
the code that updates them is installed for it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import get_commands
from django.urls import URLResolver, get_resolver
from django.utils.module_loading import import_string
from procrastinate.contrib.django import app as procrastinate_app

from monitoring.instrumentation.client_audit import ClientModule, find_client_modules
from monitoring.instrumentation.http import find_request_counting_error
from monitoring.instrumentation.jobs import is_counting_jobs
from monitoring.instrumentation.registry import get_metrics
from monitoring.instrumentation.sockets import MeasuredSocket, iter_socket_routes

COUNTER, DURATION, ERROR_LABEL = "counter", "duration", "error label"
REQUIRED_INSTRUMENTS = (COUNTER, DURATION, ERROR_LABEL)
EXTERNAL_COMMANDS = {"procrastinate"}  # a library's command that runs the workers


@dataclass(frozen=True)
class SurfaceInstruments:
    """The metrics of a kind: `name_label` identifies the surface, `error_label` its outcome."""

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
    """A surface, the instruments that it lacks, and why."""

    kind: str
    name: str
    missing: tuple[str, ...]
    why: str = ""

    @property
    def is_covered(self) -> bool:
        """Whether counter, duration and error label exist."""
        return not self.missing


def find_surfaces() -> list[Surface]:
    """Return every surface of the site as it is configured now."""
    metrics = get_metrics()
    missing_by_kind = {}
    for kind, instruments in INSTRUMENTS_BY_KIND.items():
        counter, duration, name_label = (
            metrics.get(instruments.counter),
            metrics.get(instruments.duration),
            instruments.name_label,
        )
        is_present = {
            COUNTER: counter is not None and counter.kind == "counter" and name_label in counter.labels,
            DURATION: duration is not None and duration.kind == "histogram" and name_label in duration.labels,
            ERROR_LABEL: counter is not None and instruments.error_label in counter.labels,
        }
        missing_by_kind[kind] = tuple(name for name in REQUIRED_INSTRUMENTS if not is_present[name])
    surfaces = []
    for kind, name, reason in _iter_surfaces():
        missing = REQUIRED_INSTRUMENTS if reason else missing_by_kind[kind]
        surfaces.append(Surface(kind, name, missing, reason or ("no such instrument" if missing else "")))
    return surfaces


def _iter_surfaces() -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, reason); the reason says why the surface is not counted, "" if it is."""
    protocols = dict(import_string(settings.ASGI_APPLICATION).application_mapping)
    reason = find_request_counting_error(protocols.get("http"))
    for route in sorted(set(_iter_routes(get_resolver()))):
        yield "route", route or "/", reason
    for route, callback in iter_socket_routes(protocols.get("websocket")):
        yield "socket", route, "" if isinstance(callback, MeasuredSocket) else "not in measured_routes()"
    reason = "" if is_counting_jobs(procrastinate_app) else "PROCRASTINATE_ON_APP_READY does not count jobs"
    for task in sorted({task.name for task in procrastinate_app.tasks.values()}):
        yield "job", task, reason
    is_counting = is_counting_commands(Path(settings.BASE_DIR) / "manage.py")
    reason = "" if is_counting else "manage.py does not call execute_measured"
    own_apps = {app.name for app in apps.get_app_configs() if Path(app.path) in get_own_package_paths()}
    for command, app_name in sorted(get_commands().items()):
        if app_name in own_apps or command in EXTERNAL_COMMANDS:
            yield "command", command, reason
    for module in get_own_client_modules():
        yield "client", module.name, "; ".join(module.uncounted_calls)


def is_counting_commands(manage: Path) -> bool:
    """Return whether a manage.py runs its commands with `execute_measured`."""
    calls = [node.func for node in ast.walk(ast.parse(manage.read_bytes())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    return "execute_measured" in names and "execute_from_command_line" not in names


@cache
def get_own_client_modules() -> list[ClientModule]:
    """Return the project's modules that call other services; cached, because their source does not change."""
    return find_client_modules(get_own_package_paths())


def get_own_package_paths() -> list[Path]:
    """Return the directories of the project's own apps."""
    paths = [Path(app.path) for app in apps.get_app_configs()]
    return [path for path in paths if path.parent == Path(settings.BASE_DIR)]


def _iter_routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from _iter_routes(pattern, route)
        else:
            yield route
