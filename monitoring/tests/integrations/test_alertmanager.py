"""The webhook for Alertmanager: authentication, deduplication, limits."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client

from monitoring.models import Alert
from testing.services import LOCAL_HTTPX_OPTIONS, find_free_port, find_program, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "token-of-alertmanager"


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.ALERTMANAGER_TOKEN = TOKEN


def make_external_alert(status: str = "firing", fingerprint: str = "f1", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "fingerprint": fingerprint,
        "labels": {"alertname": "HighLatency", "severity": "page", **labels},
        "annotations": {"summary": "慢", "description": "p99 太高", "runbook_url": "https://runbook.example/slow"},
        "startsAt": "2026-01-01T00:00:00Z",
    }


def post(client: Client, *alerts: dict[str, Any], token: str = TOKEN, body: Any = None) -> Any:
    content = body if body is not None else json.dumps({"version": "4", "alerts": alerts})
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/monitoring/alertmanager", content, content_type="application/json", headers=headers)


def test_repeated_posts_create_one_alert(client: Client) -> None:
    assert post(client, make_external_alert(), make_external_alert(fingerprint="f2")).json() == {
        "fired": 2,
        "resolved": 0,
    }
    assert post(client, make_external_alert(), make_external_alert(fingerprint="f2")).json() == {
        "fired": 0,
        "resolved": 0,
    }
    alert = Alert.objects.get(fingerprint="prometheus:f1")
    assert (alert.title, alert.severity, alert.rule_name) == ("慢", "critical", "HighLatency")
    assert alert.runbook_url == "https://runbook.example/slow" and alert.source == Alert.Source.PROMETHEUS
    for expected in (1, 0):
        assert post(client, make_external_alert("resolved")).json() == {"fired": 0, "resolved": expected}
    assert list(Alert.objects.open().values_list("fingerprint", flat=True)) == ["prometheus:f2"]


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_route_is_hidden_without_the_token(token: str, client: Client) -> None:
    assert post(client, make_external_alert(), token=token).status_code == 404
    assert not Alert.objects.exists()


def test_route_is_hidden_without_the_setting(client: Client, settings: Any) -> None:
    settings.ALERTMANAGER_TOKEN = ""
    assert post(client, make_external_alert(), token="").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "[" * 10_000,
        '{"alerts": [{}]}',
        json.dumps({"alerts": [make_external_alert() | {"labels": {"a": 1}}]}),
        json.dumps({"alerts": [make_external_alert() | {"fingerprint": "x" * 65}]}),
        json.dumps({"alerts": [make_external_alert()] * 501}),
    ],
    ids=["nothing", "list", "object", "deep", "empty", "label", "fingerprint", "many"],
)
def test_invalid_body_is_rejected_with_a_text(body: str, client: Client) -> None:
    response = post(client, body=body)
    assert response.status_code == 400 and response.json()["error"]
    assert not Alert.objects.exists()


def test_large_body_is_rejected(client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert post(client, *[make_external_alert(fingerprint=str(n)) for n in range(50)]).status_code in (400, 413)
    assert not Alert.objects.exists()


def test_labels_are_bounded_and_without_markup(client: Client) -> None:
    post(
        client, make_external_alert(evil="<at user_id=all></at>\x00" + "x" * 5000, **{f"l{n}": "v" for n in range(100)})
    )
    labels = Alert.objects.get().labels
    assert len(labels) <= 40 and all(len(text) <= 200 and "<" not in text for text in labels.values())


def test_real_alertmanager_fires_and_resolves(live_server: Any, tmp_path: Path) -> None:
    """Debian's package: prometheus-alertmanager."""
    binary = find_program("prometheus-alertmanager", "alertmanager")
    port = find_free_port()
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIG.format(url=f"{live_server.url}/monitoring/alertmanager", token=TOKEN))
    command = [binary, f"--config.file={config}", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    with subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL) as process:
        try:
            api = f"http://127.0.0.1:{port}/api/v2"
            wait_until(lambda: _is_reachable(f"{api}/status"), "Alertmanager")
            alert = {"labels": {"alertname": "Down", "severity": "critical"}, "annotations": {"summary": "停了"}}
            _post_to(api, alert)
            wait_until(Alert.objects.open().filter(rule_name="Down", title="停了").exists, "the alert")
            _post_to(api, alert | {"endsAt": "2020-01-01T00:00:00Z"})
            wait_until(lambda: not Alert.objects.open().exists(), "its end")
        finally:
            process.kill()


CONFIG = """
route: {{receiver: site, group_wait: 50ms, group_interval: 100ms, repeat_interval: 1h}}
receivers:
  - name: site
    webhook_configs:
      - url: {url}
        send_resolved: true
        http_config: {{authorization: {{credentials: {token}}}}}
"""


def _is_reachable(address: str) -> bool:
    try:
        return httpx.get(address, **LOCAL_HTTPX_OPTIONS).status_code == 200
    except httpx.TransportError:
        return False


def _post_to(api: str, alert: dict[str, Any]) -> None:
    httpx.post(f"{api}/alerts", json=[alert], **LOCAL_HTTPX_OPTIONS).raise_for_status()


def test_labels_are_kept_and_the_sites_own_rules_are_not_told_twice(client: Client) -> None:
    instance = "ip-10-0-12-34.eu-central-1.compute.internal:9100"
    external = make_external_alert(instance=instance, pod="diagsite-worker-5d9c7b6f48-x2x7q")
    own = make_external_alert(fingerprint="own", origin="diagsite")
    assert post(client, external, own).json() == {"fired": 1, "resolved": 0}
    labels = Alert.objects.get().labels
    assert labels["instance"] == instance and labels["pod"] == "diagsite-worker-5d9c7b6f48-x2x7q"
