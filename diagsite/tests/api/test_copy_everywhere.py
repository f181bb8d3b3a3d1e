"""Edited error messages reach every process within a second and survive outages."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from testing.services import LOCAL_HTTPX_OPTIONS, RedisServer, execute_sql, get_load_factor, start_postgres, wait_until
from testing.site import Site, create_database, run_management_command, running_site

OVERRIDE = """
INSERT INTO errors_copyoverride (code, locale, platform, title, message, suggestion, starts_at, ends_at, reason,
    created_at)
VALUES (%s, 'zh-hans', '', %s, '', '', now() - interval '1 minute', now() + interval '1 hour', '公告', now())
"""


def override_title(address: str, title: str, code: str = "SERVICE_UNAVAILABLE") -> None:
    execute_sql(address, "DELETE FROM errors_copyoverride")
    execute_sql(address, OVERRIDE, code, title)


def get_title(site: Site, code: str = "SERVICE_UNAVAILABLE") -> str:
    answer = httpx.get(f"{site.url}/api/errors?locale=zh-hans", timeout=120, **LOCAL_HTTPX_OPTIONS)
    return str(answer.json()["errors"][code]["title"])


def wait_for_title(sites: list[Site], title: str) -> float:
    started = time.monotonic()
    wait_until(lambda: all(get_title(site) == title for site in sites), f"“{title}” in every process")
    return time.monotonic() - started


def test_edit_reaches_two_processes_within_a_second() -> None:
    with running_site(concurrency=0) as first, running_site_at(first.address) as second:
        waits = []
        for title in ("预计 15:00 恢复", "预计 16:00 恢复", "预计 17:00 恢复"):
            override_title(first.address, title)
            waits.append(wait_for_title([first, second], title))
        execute_sql(first.address, "DELETE FROM errors_copyoverride")
        waits.append(wait_for_title([first, second], "服务维护中"))
    print("edit to both processes:", ", ".join(f"{wait:.2f} s" for wait in waits))
    assert min(waits) < get_load_factor()


def test_messages_stay_during_a_database_outage(tmp_path: Path) -> None:
    server = start_postgres(Path(f"{tmp_path}-{uuid.uuid4().hex[:6]}"))
    address = server.get_uri()
    run_management_command(["migrate"], address)
    run_management_command(["seed"], address)
    with running_site_at(address) as site, site.client() as client:
        override_title(address, "数据库维护中")
        wait_for_title([site], "数据库维护中")
        server.release()
        assert get_title(site) == "数据库维护中"
        answer = client.get("/api/diagnoses")
        assert_problem_body(answer, "SERVICE_UNAVAILABLE", "数据库维护中")
        server.start()
        override_title(address, "刚刚恢复")
        wait_until(lambda: get_title(site) == "刚刚恢复", "the edit after the outage", 90)
        wait_until(lambda: client.get("/api/diagnoses").status_code == 200, "the site after the outage", 90)
    server.release()


@pytest.mark.redis
def test_messages_and_edits_work_without_redis(redis_server: RedisServer) -> None:
    with running_site(concurrency=0, REDIS_URL=redis_server.url) as site, site.client() as client:
        redis_server.stop()
        override_title(site.address, "缓存维护中")
        wait_for_title([site], "缓存维护中")
        assert_problem_body(client.get(f"/api/diagnoses/{uuid.uuid4()}"), "DATA_NOT_FOUND", "没有找到")


def test_process_with_an_empty_database_uses_the_default_messages() -> None:
    address = create_database()
    execute_sql(address, "TRUNCATE errors_errorcopy, errors_copyrevision, errors_catalogueversion CASCADE")
    with running_site_at(address) as site:
        assert get_title(site) == "服务维护中"


@contextmanager
def running_site_at(address: str) -> Iterator[Site]:
    """Run a site on a database of the test; kill it at the end."""
    site = Site(address, concurrency=0)
    try:
        site.start()
        yield site
    finally:
        site.server.kill()


def assert_problem_body(answer: httpx.Response, code: str, title: str) -> None:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["code"], body["copy"]["title"]) == (code, title)
