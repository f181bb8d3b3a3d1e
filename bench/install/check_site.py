"""Runs inside the fresh root: diagnose through nginx, scrape as deploy/prometheus.yml says, compare after a restore."""

import contextlib
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx

SITE = "https://site.example"
CERTIFICATE = "/etc/ssl/diagsite/fullchain.pem"
TARGETS = 5  # processes of one machine
KNOWN = Path("/tmp/diagnosis.json")


def open_client() -> httpx.Client:
    """Return a signed-in client that trusts the site's certificate only."""
    client = httpx.Client(base_url=SITE, verify=ssl.create_default_context(cafile=CERTIFICATE), timeout=30)
    session = client.post("/api/session", json={"device_id": "device-of-an-install"}).raise_for_status()
    client.headers["Authorization"] = f"Bearer {session.json()['token']}"
    return client


def diagnose() -> None:
    """Start a diagnosis on the demo platform, and wait for its report."""
    with contextlib.closing(open_client()) as client:
        order = {"brand": "山岚", "questions": ["推荐哪个手冲壶？"], "platforms": ["demo-fast"]}
        accepted = client.post("/api/diagnoses", json=order, headers={"Idempotency-Key": "install"}).raise_for_status()
        path = f"/api/diagnoses/{accepted.json()['id']}"
        deadline = time.monotonic() + 60
        while (report := client.get(f"{path}/report")).status_code == 409 and time.monotonic() < deadline:
            time.sleep(0.3)
        state = report.raise_for_status().json()
        assert (state["valid"], state["planned"]) == (1, 1), state
        KNOWN.write_text(json.dumps({"path": path}))


def scrape() -> None:
    """Let Prometheus read deploy/prometheus.yml as shipped, and wait until all its targets are up."""
    command = ["prometheus", "--config.file=/opt/diagsite/deploy/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus"]
    with subprocess.Popen(command, cwd="/tmp") as prometheus:
        try:
            deadline = time.monotonic() + 120
            while set(health := read_target_health()) != {"up"} or len(health) < TARGETS:
                assert prometheus.poll() is None and time.monotonic() < deadline, health
                time.sleep(0.5)
        finally:
            prometheus.terminate()


def read_target_health() -> list[str]:
    """Return what Prometheus knows of each target; nothing while it starts."""
    try:
        answer = httpx.get("http://127.0.0.1:9090/api/v1/targets").raise_for_status()
    except httpx.TransportError:
        return []
    return [target["health"] for target in answer.json()["data"]["activeTargets"]]


def compare() -> None:
    """Read the report of the diagnosis that was restored."""
    with contextlib.closing(open_client()) as client:
        assert client.get(json.loads(KNOWN.read_text())["path"] + "/report").status_code == 200


{"diagnose": diagnose, "scrape": scrape, "compare": compare}[sys.argv[1]]()
