"""Health endpoints while dependencies are unavailable: status, body and response time."""

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from monitoring.health import CHECK_TIMEOUT_SECONDS
from testing.services import LOCAL_HTTPX_OPTIONS, execute_sql, find_free_port, find_program, wait_until
from testing.site import Site, running_site

TOKEN = {"Authorization": "Bearer token-of-a-test"}
# The checks themselves, and what a busy machine takes to answer.
SOON_SECONDS = CHECK_TIMEOUT_SECONDS + 15  # a hanging check would take the client's 60 s


@pytest.fixture(scope="module")
def redis_process() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis that the tests may freeze: (its address, its process)."""
    port = find_free_port()
    process = subprocess.Popen(
        [find_program("redis-server"), "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
    )
    yield f"redis://127.0.0.1:{port}/0", process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def site(redis_process: tuple[str, subprocess.Popen[bytes]]) -> Iterator[Site]:
    """A site on that Redis, without workers."""
    with running_site(concurrency=0, REDIS_URL=redis_process[0], METRICS_TOKEN="token-of-a-test") as running:
        yield running


def get_health(site: Site, path: str, **headers: str) -> tuple[int, dict[str, Any], float]:
    """Return status, body and duration in seconds."""
    started = time.monotonic()
    response = httpx.get(f"{site.url}{path}", headers=headers, timeout=60, **LOCAL_HTTPX_OPTIONS)
    assert response.headers["Cache-Control"] == "no-store"
    return response.status_code, response.json(), time.monotonic() - started


def failed_checks(body: dict[str, Any]) -> set[str]:
    return {name for name, check in body["checks"].items() if check["status"] != "ok"}


def test_details_are_hidden_without_token(site: Site) -> None:
    status, body, _seconds = get_health(site, "/healthz/full")
    assert status == 200
    assert set(body["checks"]) == {"database", "redis", "push", "jobs", "disk"}
    assert all(set(check) == {"status", "needed"} for check in body["checks"].values())


def test_details_are_shown_with_token(site: Site) -> None:
    _status, body, _seconds = get_health(site, "/healthz/full", **TOKEN)
    assert body["status"] == "degraded"
    assert "no worker within" in body["checks"]["jobs"]["detail"]
    assert body["checks"]["database"]["ms"] > 0


def test_server_stays_ready_without_workers(site: Site) -> None:
    assert get_health(site, "/readyz")[:2] == (200, {"status": "ok", "database": "ok"})
    assert "jobs" in failed_checks(get_health(site, "/healthz/full")[1])
    execute_sql(
        site.address, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '5 minutes')"
    )
    wait_until(lambda: "jobs" not in failed_checks(get_health(site, "/healthz/full")[1]), "the worker to be seen")
    execute_sql(site.address, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    assert "jobs" in failed_checks(get_health(site, "/healthz/full")[1])


def test_hanging_redis_does_not_block_health_checks(
    site: Site, redis_process: tuple[str, subprocess.Popen[bytes]]
) -> None:
    process = redis_process[1]
    wait_until(
        lambda: {"redis", "push"}.isdisjoint(failed_checks(get_health(site, "/healthz/full")[1])), "Redis to be seen"
    )
    process.send_signal(signal.SIGSTOP)
    try:
        status, body, seconds = get_health(site, "/healthz/full")
        assert (status, body["status"]) == (200, "degraded")
        assert {"redis", "push"} <= failed_checks(body)
        assert seconds < SOON_SECONDS
        status, _body, seconds = get_health(site, "/readyz")
        assert status == 200
        assert seconds < SOON_SECONDS
    finally:
        process.send_signal(signal.SIGCONT)
    wait_until(
        lambda: {"redis", "push"}.isdisjoint(failed_checks(get_health(site, "/healthz/full")[1])), "Redis to be noticed"
    )


def test_server_without_database_is_alive_but_not_ready(site: Site) -> None:
    name = site.address.split("?")[0].rsplit("/", 1)[1]
    admin = site.address.replace(f"/{name}?", "/postgres?")
    execute_sql(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute_sql(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
    try:
        status, body, seconds = get_health(site, "/readyz")
        assert (status, body) == (503, {"status": "unavailable", "database": "unavailable"})
        assert seconds < SOON_SECONDS
        status, body, seconds = get_health(site, "/healthz/full", **TOKEN)
        assert (status, body["status"]) == (503, "unavailable")
        assert seconds < SOON_SECONDS
        assert get_health(site, "/healthz")[:2] == (200, {"status": "ok"})
    finally:
        execute_sql(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_until(lambda: get_health(site, "/readyz")[0] == 200, "the database to be noticed")
