"""Every surface of the site is counted, and the check detects those that are not."""

import json
import signal
from functools import partial
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from procrastinate.contrib.django import app as procrastinate_app
from prometheus_client import Counter
from websockets.sync.client import connect

from monitoring import metrics
from monitoring.instrumentation.client_audit import find_client_modules
from monitoring.instrumentation.coverage import (
    INSTRUMENTS_BY_KIND,
    REQUIRED_INSTRUMENTS,
    find_surfaces,
    is_counting_commands,
)
from monitoring.instrumentation.sockets import measured_routes
from testing.invariants import request_diagnosis
from testing.services import wait_until
from testing.site import Site, run_management_command, running_site

pytestmark = pytest.mark.django_db


def show_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    *import_module("diagsite.urls").urlpatterns,
    path("new/<int:number>/", include([path("deep", show_nothing)])),
]


async def silent_socket(scope: object, receive: object, send: object) -> None:
    """Accept no message and send none."""


uncounted_socket = ProtocolTypeRouter(
    {"http": ASGIHandler(), "websocket": URLRouter([path("ws/new/", silent_socket)])}  # type: ignore[arg-type]
)
counted_socket = ProtocolTypeRouter(
    {"http": ASGIHandler(), "websocket": URLRouter(measured_routes([path("ws/new/", silent_socket)]))}  # type: ignore[arg-type]
)


def find_uncovered() -> dict[tuple[str, str], tuple[str, ...]]:
    return {(surface.kind, surface.name): surface.missing for surface in find_surfaces() if not surface.is_covered}


def list_names(kind: str) -> set[str]:
    return {surface.name for surface in find_surfaces() if surface.kind == kind}


def test_every_surface_is_covered() -> None:
    assert find_uncovered() == {}


def test_surfaces_are_derived_from_the_code() -> None:
    assert {"api/diagnoses/<diagnosis_id>/report", "metrics", "/", "admin/login/"} <= list_names("route")
    assert {"ws/diagnosis/<str:stream>/", "unmatched"} <= list_names("socket")
    assert {"diagnosis.run", "diagnosis.sweep"} <= list_names("job")
    assert {"serve", "diagnose", "procrastinate", "monitoring_coverage"} <= list_names("command")
    assert {
        "diagnosis.platforms.transport",
        "diagsite.accounts.wechat",
        "diagsite.moderation.tencent",
        "diagsite.wechat.access_token",
    } <= list_names("client")


def test_new_route_is_listed(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    assert "new/<int:number>/deep" in list_names("route")


def test_routes_are_uncovered_behind_another_middleware(settings: Any) -> None:
    middleware = settings.MIDDLEWARE
    settings.MIDDLEWARE = [*middleware[1:], middleware[0]]
    uncovered = find_uncovered()
    assert uncovered[("route", "api/platforms")] == REQUIRED_INSTRUMENTS
    assert {kind for kind, _ in uncovered} == {"route"}


@pytest.mark.parametrize(
    ("application", "missing"), [("uncounted_socket", REQUIRED_INSTRUMENTS), ("counted_socket", None)]
)
def test_socket_route_is_covered_only_if_measured(
    settings: Any, application: str, missing: tuple[str, ...] | None
) -> None:
    settings.ASGI_APPLICATION = f"{__name__}.{application}"
    assert find_uncovered().get(("socket", "ws/new/")) == missing
    assert "ws/new/" in list_names("socket")


def test_jobs_are_uncovered_without_the_counting_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(procrastinate_app.worker_defaults, "worker_middleware", [])
    assert find_uncovered()[("job", "diagnosis.run")] == REQUIRED_INSTRUMENTS


def test_commands_are_covered_if_manage_py_counts_them(tmp_path: Path) -> None:
    counted, uncounted = tmp_path / "counted.py", tmp_path / "uncounted.py"
    counted.write_text("execute_measured(sys.argv)")
    uncounted.write_text("execute_from_command_line(sys.argv)")
    assert [is_counting_commands(path) for path in (counted, uncounted)] == [True, False]


def test_missing_labels_and_instruments_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without_status = Counter("http_requests", "Requests", ["route", "method"], registry=None)
    monkeypatch.setattr(metrics, "http_requests", without_status)
    monkeypatch.delattr(metrics, "job_seconds")
    uncovered = find_uncovered()
    assert uncovered[("route", "metrics")] == ("error label",)
    assert uncovered[("job", "diagnosis.run")] == ("duration",)


CLIENTS = {
    "bare": "import httpx\ndef f():\n    return httpx.get('http://a')\n",
    "renamed": "from urllib.request import urlopen as fetch\ndef f():\n    fetch('http://a')\n",
    "hidden": "def f():\n    import smtplib\n    smtplib.SMTP('a').quit()\n",
    "one_of_two": "import httpx\ndef f():\n    with measure_call('a'):\n        httpx.get('a')\n    httpx.post('b')\n",
    "counted": "import httpx\ndef f():\n    with measure_call('a') as call:\n        return httpx.get('http://a')\n",
    "around": "import httpx\ndef f():\n    return httpx.get('a')\ndef g():\n    with measure_call(1):\n        f()",
    "maker": "import httpx\nc = httpx.Client()\ndef f():\n    with metrics.measure_call('a'):\n        c.get('a')\n",
    "idle_maker": "import aiohttp\nc = aiohttp.ClientSession()\n",
    "no_client": "import httpx\ndef f(error):\n    return isinstance(error, httpx.HTTPError)\n",
}


def test_clients_are_found_by_their_calls_and_must_count_each(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "tests").mkdir(parents=True)
    for name, source in {**CLIENTS, "tests/bare": CLIENTS["bare"]}.items():
        (package / f"{name}.py").write_text(source)
    uncounted_calls = {module.name: module.uncounted_calls for module in find_client_modules([package])}
    assert uncounted_calls == {
        "shop.bare": ("httpx.get in line 3",),
        "shop.renamed": ("urllib.request.urlopen in line 3",),
        "shop.hidden": ("smtplib.SMTP in line 3",),
        "shop.one_of_two": ("httpx.post in line 5",),
        "shop.counted": (),
        "shop.around": (),
        "shop.maker": (),
        "shop.idle_maker": ("aiohttp.ClientSession in line 2",),
    }


def test_command_prints_the_share_and_fails_below_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    output = StringIO()
    call_command("monitoring_coverage", "--json", "--fail-under", "0.9", stdout=output)
    assert json.loads(output.getvalue())["covered"] == 1
    monkeypatch.delattr(metrics, "http_request_seconds")
    output = StringIO()
    with pytest.raises(CommandError, match=r"less than 90\.0%"):
        call_command("monitoring_coverage", "--fail-under", "0.9", stdout=output)
    assert "route api/platforms: no duration (no such instrument)" in output.getvalue()


# One surface of each kind: its name and its outcome.
SURFACE_EXAMPLES = {
    "route": ("api/diagnoses", "4xx"),
    "socket": ("unmatched", "4404"),
    "job": ("diagnosis.run", "done"),
    "command": ("diagnose", "failed"),
    "client": ("platform", "ok"),
}


def are_samples_stored(site: Site, kind: str) -> bool:
    """Return whether the counter and the duration of the kind's example are stored."""
    (name, outcome), instruments = SURFACE_EXAMPLES[kind], INSTRUMENTS_BY_KIND[kind]
    counted = "SELECT max(value) FROM monitoring_sample JOIN monitoring_series s ON s.id = series_id WHERE metric = %s"
    with_name = f"{counted} AND labels->>%s = %s"
    counter = site.query(
        f"{with_name} AND labels->>%s = %s",
        instruments.counter,
        instruments.name_label,
        name,
        instruments.error_label,
        outcome,
    )
    duration = site.query(with_name, f"{instruments.duration}_count", instruments.name_label, name)
    return bool(counter[0][0] and duration[0][0])


def test_samples_of_every_kind_are_stored_until_shutdown() -> None:
    with running_site(SAMPLES_FLUSH_SECONDS="0.5") as site:
        client = site.client()
        assert client.post("/api/diagnoses", json={}).is_client_error
        request_diagnosis(client, ["demo-fast"], questions=1)
        with connect(f"{site.url.replace('http', 'ws')}/ws/nowhere/", proxy=None) as socket:
            assert "DATA_NOT_FOUND" in str(socket.recv())
        with pytest.raises(AssertionError, match="--platform"):
            run_management_command(
                ["diagnose", "山岚", "--question", "哪个好？", "--platform", "nowhere"], site.address
            )
        for kind in SURFACE_EXAMPLES:
            wait_until(partial(are_samples_stored, site, kind), f"the instruments of a {kind}")
        client.get("/api/platforms").raise_for_status()
        site.server.send_signal(signal.SIGTERM)
        assert site.server.wait(180) == 0
        last = "SELECT value FROM monitoring_sample JOIN monitoring_series s ON s.id = series_id WHERE key = %s"
        assert site.query(last, "http_requests_total{method=GET,route=api/platforms,status=2xx}")[-1:] == [(1,)]
        ended = "SELECT count(*) FROM monitoring_process WHERE kind = 'server' AND ended_at IS NOT NULL"
        assert site.query(ended) == [(1,)]
