"""What is counted: every surface that the code has, and a check that can fail."""

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
from monitoring.instrumentation import coverage
from monitoring.instrumentation.client_audit import find_client_modules
from monitoring.instrumentation.coverage import INSTRUMENTS_BY_KIND, REQUIRED_INSTRUMENTS, find_surfaces
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


async def talk(scope: object, receive: object, send: object) -> None:
    """A socket that says nothing."""


uncounted_socket = ProtocolTypeRouter(
    {"http": ASGIHandler(), "websocket": URLRouter([path("ws/new/", talk)])}  # type: ignore[arg-type]
)
counted_socket = ProtocolTypeRouter(
    {"http": ASGIHandler(), "websocket": URLRouter(measured_routes([path("ws/new/", talk)]))}  # type: ignore[arg-type]
)


def uncovered() -> dict[tuple[str, str], tuple[str, ...]]:
    return {(one.kind, one.name): one.missing for one in find_surfaces() if not one.is_covered}


def names_of(kind: str) -> set[str]:
    return {one.name for one in find_surfaces() if one.kind == kind}


def test_everything_that_the_site_has_is_counted() -> None:
    assert uncovered() == {}


def test_the_list_comes_from_the_code() -> None:
    assert {"api/diagnoses/<diagnosis_id>/report", "metrics", "/", "admin/login/"} <= names_of("route")
    assert {"ws/diagnosis/<str:stream>/", "unmatched"} <= names_of("socket")
    assert {"diagnosis.run", "diagnosis.sweep"} <= names_of("job")
    assert {"serve", "diagnose", "procrastinate", "monitoring_coverage"} <= names_of("command")
    assert {
        "diagnosis.platforms.openai_client",
        "diagsite.accounts.wechat",
        "diagsite.notifications.wechat",
    } <= names_of("client")


def test_a_new_route_is_on_the_list(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    assert "new/<int:number>/deep" in names_of("route")


def test_requests_that_another_middleware_could_answer_first_are_not_covered(settings: Any) -> None:
    middleware = settings.MIDDLEWARE
    settings.MIDDLEWARE = [*middleware[1:], middleware[0]]
    found = uncovered()
    assert found[("route", "api/platforms")] == REQUIRED_INSTRUMENTS
    assert {kind for kind, _ in found} == {"route"}


@pytest.mark.parametrize(
    ("application", "missing"), [("uncounted_socket", REQUIRED_INSTRUMENTS), ("counted_socket", None)]
)
def test_a_socket_route_has_to_be_measured(settings: Any, application: str, missing: tuple[str, ...] | None) -> None:
    settings.ASGI_APPLICATION = f"{__name__}.{application}"
    assert uncovered().get(("socket", "ws/new/")) == missing
    assert "ws/new/" in names_of("socket")


def test_jobs_of_workers_that_do_not_count_are_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(procrastinate_app.worker_defaults, "worker_middleware", [])
    assert uncovered()[("job", "diagnosis.run")] == REQUIRED_INSTRUMENTS


def test_commands_are_covered_by_the_manage_py_that_counts_them(tmp_path: Path) -> None:
    ours, djangos = tmp_path / "ours.py", tmp_path / "djangos.py"
    ours.write_text("execute_measured(sys.argv)")
    djangos.write_text("execute_from_command_line(sys.argv)")
    assert [coverage._is_counting_commands(one) for one in (ours, djangos)] == [True, False]


def test_a_lost_label_or_instrument_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without_status = Counter("http_requests", "Requests", ["route", "method"], registry=None)
    monkeypatch.setattr(metrics, "http_requests", without_status)
    monkeypatch.delattr(metrics, "job_seconds")
    found = uncovered()
    assert found[("route", "metrics")] == ("error label",)
    assert found[("job", "diagnosis.run")] == ("duration",)


CLIENTS = {
    "bare": "import httpx\ndef f():\n    return httpx.get('http://a')\n",
    "renamed": "from urllib.request import urlopen as fetch\ndef f():\n    fetch('http://a')\n",
    "hidden": "def f():\n    import smtplib\n    smtplib.SMTP('a').quit()\n",
    "one_of_two": "import httpx\ndef f():\n    with measure_call('a'):\n        httpx.get('a')\n    httpx.post('b')\n",
    "counted": "import httpx\ndef f():\n    with measure_call('a') as call:\n        return httpx.get('http://a')\n",
    "around": "import httpx\ndef f():\n    return httpx.get('a')\ndef g():\n    with measure_call(1):\n        f()",
    "maker": "import httpx\nc = httpx.Client()\ndef f():\n    with metrics.measure_call('a'):\n        c.get('a')\n",
    "idle_maker": "import openai\nc = openai.AsyncOpenAI()\n",
    "no_client": "import httpx\ndef f(error):\n    return isinstance(error, httpx.HTTPError)\n",
}


def test_a_client_is_found_by_what_it_calls_and_must_count_each_call(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "tests").mkdir(parents=True)
    for name, source in {**CLIENTS, "tests/bare": CLIENTS["bare"]}.items():
        (package / f"{name}.py").write_text(source)
    found = {module.name: module.uncounted_calls for module in find_client_modules([package])}
    assert found == {
        "shop.bare": ("httpx.get in line 3",),
        "shop.renamed": ("urllib.request.urlopen in line 3",),
        "shop.hidden": ("smtplib.SMTP in line 3",),
        "shop.one_of_two": ("httpx.post in line 5",),
        "shop.counted": (),
        "shop.around": (),
        "shop.maker": (),
        "shop.idle_maker": ("openai.AsyncOpenAI in line 2",),
    }


def test_the_command_tells_the_share_and_fails_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = StringIO()
    call_command("monitoring_coverage", "--json", "--fail-under", "0.9", stdout=said)
    assert json.loads(said.getvalue())["covered"] == 1
    monkeypatch.delattr(metrics, "http_request_seconds")
    said = StringIO()
    with pytest.raises(CommandError, match=r"less than 90\.0%"):
        call_command("monitoring_coverage", "--fail-under", "0.9", stdout=said)
    assert "route api/platforms: no duration (no such instrument)" in said.getvalue()


# One of each kind: its name and how it ended.
MOVES = {
    "route": ("api/diagnoses", "4xx"),
    "socket": ("unmatched", "4404"),
    "job": ("diagnosis.run", "done"),
    "command": ("diagnose", "failed"),
    "client": ("platform", "ok"),
}


def is_told(site: Site, kind: str) -> bool:
    """Whether the stored samples have the counter and the duration of the kind's example."""
    (name, end), one = MOVES[kind], INSTRUMENTS_BY_KIND[kind]
    counted = "SELECT max(value) FROM monitoring_sample JOIN monitoring_series s ON s.id = series_id WHERE metric = %s"
    with_name = f"{counted} AND labels->>%s = %s"
    counter = site.query(f"{with_name} AND labels->>%s = %s", one.counter, one.name_label, name, one.error_label, end)
    duration = site.query(with_name, f"{one.duration}_count", one.name_label, name)
    return bool(counter[0][0] and duration[0][0])


def test_each_kind_of_surface_moves_its_instruments_to_the_last_moment() -> None:
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
        for kind in MOVES:
            wait_until(partial(is_told, site, kind), f"the instruments of a {kind}")
        client.get("/api/platforms").raise_for_status()
        site.server.send_signal(signal.SIGTERM)
        assert site.server.wait(30) == 0
        last = "SELECT value FROM monitoring_sample JOIN monitoring_series s ON s.id = series_id WHERE key = %s"
        assert site.query(last, "http_requests_total{method=GET,route=api/platforms,status=2xx}")[-1:] == [(1,)]
        ended = "SELECT count(*) FROM monitoring_process WHERE kind = 'server' AND ended_at IS NOT NULL"
        assert site.query(ended) == [(1,)]
