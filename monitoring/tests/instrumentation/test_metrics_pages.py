"""The generated documents, and /metrics of servers and workers."""

import json
import signal
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from monitoring.instrumentation.exporter import start_exporter
from monitoring.instrumentation.metrics_docs import replace_metric_tables
from monitoring.instrumentation.registry import get_metrics, get_series_names
from monitoring.integrations.grafana import render_grafana_dashboard
from testing.services import LOCAL_HTTPX_OPTIONS, find_free_port, wait_until
from testing.site import PROJECT_ROOT, SiteProcess, create_database

TOKEN = "token-of-prometheus"
DEVELOPMENT, PRODUCTION = False, True


def parse_family_names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def test_metrics_page_is_current() -> None:
    page = (PROJECT_ROOT / "docs/reference/metrics.md").read_text()
    assert replace_metric_tables(page) == page, "run: manage.py list_metrics --update docs/reference/metrics.md"
    for name in get_metrics():
        assert f"| `{name}` |" in page


def test_every_metric_has_a_help_text_and_unique_series() -> None:
    names = [name for metric in get_metrics().values() for name in metric.series_names]
    assert len(names) == len(set(names)) and set(names) == get_series_names()
    assert all(metric.help for metric in get_metrics().values())
    assert {"diagnosis_calls_total", "diagnosis_call_seconds_sum", "diagnosis_running"} <= get_series_names()


def test_page_without_marks_is_rejected(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Something else\n")
    with pytest.raises(CommandError, match="it has no"):
        call_command("list_metrics", "--update", str(page))
    assert page.read_text() == "# Something else\n"


def test_list_contains_labels(capsys: pytest.CaptureFixture[str]) -> None:
    output = StringIO()
    call_command("list_metrics", stdout=output)
    assert "counter   http_requests_total{route,method,status}  Requests answered" in output.getvalue()


def test_grafana_dashboard_is_current_with_a_panel_per_metric() -> None:
    text = (PROJECT_ROOT / "docs/reference/grafana-dashboard.json").read_text()
    assert text == render_grafana_dashboard(), (
        "run: manage.py export_grafana_dashboard --output docs/reference/grafana-dashboard.json"
    )
    panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
    assert {panel["title"] for panel in panels} == set(get_metrics())
    assert len({panel["id"] for panel in json.loads(text)["panels"]}) == len(json.loads(text)["panels"])
    assert not [panel for panel in panels if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_production", "token", "given", "status"),
    [
        (DEVELOPMENT, "", "", 200),
        (DEVELOPMENT, TOKEN, "", 404),
        (PRODUCTION, "", "", 404),
        (PRODUCTION, "", "Bearer ", 404),
        (PRODUCTION, TOKEN, f"Bearer {TOKEN}x", 404),
        (PRODUCTION, TOKEN, f"Bearer {TOKEN}", 200),
    ],
)
def test_metrics_require_the_token(is_production: bool, token: str, given: str, status: int, settings: Any) -> None:
    settings.PRODUCTION, settings.METRICS_TOKEN = is_production, token
    response = Client(headers={"Authorization": given}).get("/metrics")
    assert response.status_code == status
    assert (b"http_requests_total" in response.content) == (status == 200)


@pytest.fixture
def worker() -> Iterator[tuple[SiteProcess, str]]:
    port = find_free_port()
    extra = {"METRICS_PORT": str(port), "METRICS_TOKEN": TOKEN, "SAMPLES_FLUSH_SECONDS": "0.5"}
    process = SiteProcess(["procrastinate", "worker"], create_database(), **extra)
    with process:
        yield process, f"http://127.0.0.1:{port}/metrics"


def test_worker_serves_metrics_on_its_own_port(worker: tuple[SiteProcess, str]) -> None:
    process, url = worker
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    def fetch_metrics() -> str:
        try:
            return httpx.get(url, headers=bearer, **LOCAL_HTTPX_OPTIONS).text
        except httpx.TransportError:
            return ""

    wait_until(
        lambda: 'jobs_total{outcome="done",task="diagnosis.sweep"}' in fetch_metrics(), "a job of the worker", 60
    )
    assert {"jobs", "job_seconds", "http_requests"} <= parse_family_names(fetch_metrics())
    assert httpx.get(url, **LOCAL_HTTPX_OPTIONS).status_code == 404
    assert httpx.get(url.replace("/metrics", "/"), headers=bearer, **LOCAL_HTTPX_OPTIONS).status_code == 404
    process.send_signal(signal.SIGTERM)
    assert process.wait(180) == 0


def test_occupied_metrics_port_is_a_configuration_error(settings: Any) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.METRICS_PORT = taken.getsockname()[1]
        with pytest.raises(ImproperlyConfigured, match="METRICS_PORT: cannot listen on 127"):
            start_exporter()
