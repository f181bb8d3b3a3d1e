"""Runs inside the fresh root: diagnose through nginx, scrape as deploy/prometheus.yml says, compare after a restore."""

import contextlib
import json
import re
import ssl
import sys
import time
from pathlib import Path

import httpx

SITE = "https://site.example"
CERTIFICATE = "/etc/ssl/diagsite/fullchain.pem"
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
    """Read every target of deploy/prometheus.yml with the token of its file, by its own address."""
    text = Path("/opt/diagsite/deploy/prometheus.yml").read_text()
    token = Path(re.findall(r"credentials_file: (\S+)", text)[0]).read_text().strip()
    targets = re.findall(r'"(127[^"]+)"', text)
    assert len(targets) == 5
    for target in targets:
        answer = httpx.get(f"http://{target}/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200 and "process_cpu_seconds_total" in answer.text, (target, answer.status_code)


def compare() -> None:
    """Read the report of the diagnosis that was restored."""
    with contextlib.closing(open_client()) as client:
        assert client.get(json.loads(KNOWN.read_text())["path"] + "/report").status_code == 200


{"diagnose": diagnose, "scrape": scrape, "compare": compare}[sys.argv[1]]()
