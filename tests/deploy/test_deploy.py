"""The files of deploy/ are valid for their tools, and a restart behind nginx loses no request."""

import asyncio
import os
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from progress.frames import CloseCode
from testing.fakes.platform import FakePlatform, respond_with_answer
from testing.proxied_site import ProxiedSite, running_proxied_site
from testing.rolling_restart import restart_under_traffic
from testing.services import RedisServer, find_program
from testing.site import PROJECT_ROOT, Site, create_database

DEPLOY = PROJECT_ROOT / "deploy"


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ, **environment})


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    find_program("systemd-analyze")
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/diagsite/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/opt/diagsite", str(PROJECT_ROOT)))
    done = _run("systemd-analyze", "verify", *sorted(tmp_path.iterdir()))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    done = subprocess.run(ProxiedSite(tmp_path, "", "").build_nginx_command("-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_logrotate_understands_its_file(tmp_path: Path) -> None:
    find_program("logrotate")
    state = tmp_path / "diagsite"
    (tmp_path / "site.log").write_text("a line\n")
    text = (DEPLOY / "logrotate" / "diagsite").read_text().replace("/var/log/diagsite", str(tmp_path))
    state.write_text(text.replace("su diagsite diagsite", ""))
    state.chmod(0o644)
    done = _run("logrotate", "--force", "--state", tmp_path / "state", state)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site.log").read_text() == ""
    assert (tmp_path / "site.log.1").read_text() == "a line\n"


@pytest.fixture
def proxied(tmp_path: Path, redis_server: RedisServer) -> Iterator[ProxiedSite]:
    database = create_database()
    with FakePlatform() as fake, running_proxied_site(tmp_path, database, redis_server.url) as site:
        fake.set_behaviour(respond_with_answer("山岚不错", delay_seconds=30))
        Site(database).add_platform("slow", fake.base_url, concurrency=100)
        yield site


ORDER = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["slow"]}


async def _get_close_code(site: ProxiedSite) -> int | None:
    """Connect as a page of the site without a session: with the port of its origin, it is no foreign origin."""
    url = f"{site.url.replace('https', 'wss')}/ws/diagnosis/{uuid.uuid4()}/"
    async with connect(url, ssl=site.ssl_context, proxy=None, origin=Origin(site.url)) as socket:
        await socket.send('{"type": "hello", "v": 1, "token": null}')
        await socket.wait_closed()
        return socket.close_code


@pytest.mark.redis
def test_restart_under_traffic_fails_no_request_and_sockets_reconnect(proxied: ProxiedSite) -> None:
    with httpx.Client(verify=ssl.create_default_context(cafile=str(proxied.certificate)), trust_env=False) as client:
        answer = client.get(f"{proxied.url}/healthz")
        assert answer.status_code == 200
        assert client.get(f"{proxied.url}/metrics").status_code == 404
    assert asyncio.run(_get_close_code(proxied)) == CloseCode.UNAUTHORIZED
    seen = asyncio.run(restart_under_traffic(proxied, ORDER, readers=3, followers=4))
    assert seen.failures == []
    assert seen.request_count > 20
    assert len(seen.disconnected_seconds) >= 4
    assert max(seen.disconnected_seconds) < 10  # 1 s on an idle machine: make bench-restart
