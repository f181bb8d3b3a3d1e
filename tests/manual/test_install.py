"""The manual's install section in short: its blocks, and the site with environment.example as shipped."""

import re
import secrets
import subprocess

import httpx
import pytest

from testing.manual_blocks import INSTALL_SECTIONS, METRICS_SECTIONS, RESTORE_SECTIONS, read_blocks
from testing.services import LOCAL_HTTPX_OPTIONS, RedisServer, find_free_port, wait_until
from testing.site import PROJECT_ROOT, SiteProcess, create_database

DEPLOY = PROJECT_ROOT / "deploy"


def _strip_comments(block: str) -> list[str]:
    return [line.partition("   #")[0].rstrip() for line in block.splitlines()]


@pytest.mark.parametrize("sections", [INSTALL_SECTIONS, RESTORE_SECTIONS, METRICS_SECTIONS])
def test_both_languages_have_the_same_commands(sections: dict[str, str]) -> None:
    english, chinese = (
        [_strip_comments(block) for block in read_blocks(page, section)] for page, section in sections.items()
    )
    assert english
    assert english == chinese


def test_blocks_are_shell_and_name_files_that_exist() -> None:
    blocks = [
        block
        for sections in (INSTALL_SECTIONS, RESTORE_SECTIONS)
        for block in read_blocks(*next(iter(sections.items())))
    ]
    for block in blocks:
        assert subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True).stderr == ""
    named = re.findall(r"/opt/diagsite/(deploy/[\w./-]+)", "".join(blocks))
    assert len(named) > 5
    assert [path for path in named if not (PROJECT_ROOT / path).exists()] == []


def _read_example() -> dict[str, str]:
    lines = (DEPLOY / "environment.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.redis
def test_processes_with_the_example_are_ready_and_scraped(redis_server: RedisServer) -> None:
    port, metrics_port, database = find_free_port(), find_free_port(), create_database()
    example = _read_example() | {
        "REDIS_URL": redis_server.url,
        "LOG_FILE": "",
        "ENVIRONMENT": "production",
        "DEMO": "0",
        # The manual replaces the placeholders.
        "SECRET_KEY": secrets.token_urlsafe(50),
        "METRICS_TOKEN": secrets.token_urlsafe(50),
    }
    del example["DATABASE_URL"], example["LOG_FILE"]
    unit = (DEPLOY / "systemd" / "diagsite-web@.service").read_text().replace("%i", str(port))
    _python, _program, *arguments = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0].split()
    (probe,) = re.findall(r"^ExecStartPost=\S+ (\S+)$", unit, re.MULTILINE)
    worker = SiteProcess(["procrastinate", "worker"], database, **example, METRICS_PORT=str(metrics_port))
    with SiteProcess(arguments, database, **example, PORT=str(port)) as server, worker:
        done = subprocess.run([DEPLOY / "wait-until-ready", probe], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + server.read_output()
        health_check = re.findall(r"urlopen\('(\S+)',", (DEPLOY / "Dockerfile").read_text())[0]
        assert httpx.get(health_check.replace("8765", str(port)), **LOCAL_HTTPX_OPTIONS).status_code == 200
        header = {"Authorization": f"Bearer {example['METRICS_TOKEN']}"}
        for scraped in (port, metrics_port):
            url = f"http://127.0.0.1:{scraped}/metrics"
            wait_until(lambda url=url: _get_status(url, header) == 200, f"metrics at {url}")  # type: ignore[misc]
            assert _get_status(url, {}) != 200


def _get_status(url: str, headers: dict[str, str]) -> int:
    try:
        return httpx.get(url, headers=headers, **LOCAL_HTTPX_OPTIONS).status_code
    except httpx.TransportError:
        return 0


def test_every_scrape_sends_the_token() -> None:
    text = (DEPLOY / "prometheus.yml").read_text()
    assert text.count("authorization: { credentials_file: /etc/prometheus/diagsite-token }") == text.count("job_name:")
