"""What the metrics count for each outcome, with few label values."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.core.management import CommandError
from django.test import Client, RequestFactory
from django.urls import path
from procrastinate import App, testing
from prometheus_client import REGISTRY

from errors.codes import ErrorCode
from errors.recording import error_recorder, record_error
from monitoring.instrumentation.db_gauges import get_site_gauges
from monitoring.instrumentation.http import count_requests
from monitoring.instrumentation.jobs import count_jobs
from monitoring.instrumentation.sockets import measured_routes
from monitoring.management.utility import execute_measured
from monitoring.models import Process, Sample
from monitoring.samples import collector
from monitoring.samples.collector import flush_samples
from performance.client_metrics import measure_call

NOW = datetime.fromisoformat("2026-05-01T12:00:01+00:00")


def get_value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class SeriesDelta:
    """How much a series moves in a block."""

    def __init__(self, name: str, **labels: str) -> None:
        self.read: Callable[[], float] = lambda: get_value(name, **labels)
        self.before = self.read()

    @property
    def by(self) -> float:
        return self.read() - self.before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address", "route", "status"),
    [
        ("GET", "/healthz", "healthz", "2xx"),
        ("GET", "/", "/", "2xx"),
        ("GET", "/nowhere/1", "unmatched", "4xx"),
        ("GET", "/nowhere/2", "unmatched", "4xx"),
        ("GET", "/static/site/css/base.css", "static", "2xx"),
        ("BREW", "/nowhere/1", "unmatched", "4xx"),
        ("GET", "/api/diagnoses/00000000-0000-4000-8000-000000000000", "api/diagnoses/<diagnosis_id>", "4xx"),
    ],
)
def test_requests_are_counted_by_url_pattern(method: str, address: str, route: str, status: str) -> None:
    named = method if method == "GET" else "other"
    counted = SeriesDelta("http_requests_total", route=route, method=named, status=status)
    timed = SeriesDelta("http_request_seconds_count", route=route, method=named)
    Client().generic(method, address)
    assert (counted.by, timed.by) == (1, 1)


async def test_disconnected_client_is_counted_as_left() -> None:
    async def sleep(request: Any) -> Any:
        await asyncio.sleep(60)

    left = SeriesDelta("http_requests_total", route="unmatched", method="GET", status="left")
    waiting = asyncio.ensure_future(count_requests(sleep)(RequestFactory().get("/poll")))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert left.by == 1


async def accept(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def receive_until_disconnect(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
    await send({"type": "websocket.close", "code": 4404})


async def crash(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
    raise ValueError


@pytest.mark.parametrize(
    ("application", "sent_code", "code"),
    [
        (receive_until_disconnect, 1001, "1001"),
        (receive_until_disconnect, 3777, "other"),
        (receive_until_disconnect, None, "other"),
        (refuse, None, "4404"),
        (crash, None, "crashed"),
    ],
)
async def test_sockets_are_counted_by_url_pattern_and_close_code(application: Any, sent_code: Any, code: str) -> None:
    (route,) = measured_routes([path("ws/<int:number>/", application)])
    counted = SeriesDelta("socket_connections_total", route="ws/<int:number>/", code=code)
    open_now = SeriesDelta("socket_connections_open", route="ws/<int:number>/")
    peer = ApplicationCommunicator(route.callback, {"type": "websocket", "path": "/ws/7/"})
    await peer.send_input({"type": "websocket.connect"})
    assert (await peer.receive_output())["type"] == "websocket.accept"
    if application is receive_until_disconnect:
        assert open_now.by == 1
        await peer.send_input({"type": "websocket.disconnect", "code": sent_code})
    elif application is refuse:
        await peer.receive_output()
    try:
        await peer.wait()
    except ValueError:
        assert application is crash
    assert (counted.by, open_now.by) == (1, 0)


@pytest.mark.parametrize("outcome", ["done", "failed"])
async def test_jobs_are_counted_by_outcome(outcome: str) -> None:
    app = App(connector=testing.InMemoryConnector())
    count_jobs(app)
    name = f"monitoring.{outcome}_of_a_test"

    @app.task(name=name)
    async def work() -> None:
        if outcome == "failed":
            raise ValueError

    counted, running = SeriesDelta("jobs_total", task=name, outcome=outcome), SeriesDelta("jobs_running", task=name)
    timed = SeriesDelta("job_seconds_count", task=name)
    async with app.open_async():
        await work.defer_async()
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
    assert (counted.by, timed.by, running.by) == (1, 1, 0)


@pytest.mark.parametrize(
    ("arguments", "command", "outcome"),
    [
        (["check", "--list-tags"], "check", "done"),
        (["check", "--tag", "nonsense"], "check", "failed"),
        (["check", "--help"], "check", "done"),
        (["help", "check"], "help", "done"),
        (["no_such_command"], "no_such_command", "failed"),
    ],
)
def test_commands_are_counted_by_outcome(
    arguments: list[str], command: str, outcome: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(collector, "_current_run", None)
    counted = SeriesDelta("commands_total", command=command, outcome=outcome)
    with pytest.raises(SystemExit) if outcome == "failed" or "--help" in arguments else nullcontext():
        execute_measured(["manage.py", *arguments])
    assert counted.by == (command == "check")


def test_outgoing_calls_are_counted_by_outcome() -> None:
    ok, failed = (
        SeriesDelta("outgoing_calls_total", client="of_a_test", outcome=outcome) for outcome in ("ok", "TimeoutError")
    )
    refused = SeriesDelta("outgoing_calls_total", client="of_a_test", outcome="refused")
    timed = SeriesDelta("outgoing_call_seconds_count", client="of_a_test")
    with measure_call("of_a_test"):
        pass
    with pytest.raises(TimeoutError), measure_call("of_a_test"):
        raise TimeoutError
    with pytest.raises(CommandError), measure_call("of_a_test") as call:
        call.outcome = "refused"
        raise CommandError
    assert (ok.by, failed.by, refused.by, timed.by) == (1, 1, 1, 3)


def test_errors_are_counted_by_code() -> None:
    counted = SeriesDelta("errors_total", code="DATA_NOT_FOUND", outcome="retried")
    record_error(ErrorCode.DATA_NOT_FOUND, outcome="retried")
    error_recorder.clear()
    assert counted.by == 1


running_now = 0.0


def count_running() -> dict[tuple[str, ...], float]:
    """Stands for a question to the database."""
    return {("false",): running_now}


@pytest.mark.django_db
def test_db_gauges_are_stored_once_for_all_processes(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.SITE_GAUGES = {"diagnosis_running": f"{__name__}.count_running"}
    stored = Sample.objects.filter(series__key="diagnosis_running{demo=false}").select_related("process")
    for running in (0.0, 7.0):
        monkeypatch.setattr(f"{__name__}.running_now", running)
        for _ in range(2):
            monkeypatch.setattr(collector, "_current_run", collector._ProcessRun(Process.Kind.SERVER))
            flush_samples(NOW)
        assert [(sample.value, sample.process.kind) for sample in stored.all()] == [(running, "site")]
        assert get_value("diagnosis_running", demo="false") == running


@pytest.mark.django_db
def test_vanished_label_value_becomes_zero() -> None:
    (waiting,) = [gauge for gauge in get_site_gauges() if gauge.name == "jobs_waiting"]
    waiting.fetch_values = lambda: {("of_a_test",): 3.0}
    assert ({"queue": "of_a_test"}, 3.0) in list(waiting.measure())
    waiting.fetch_values = dict
    assert ({"queue": "of_a_test"}, 0.0) in list(waiting.measure())
