"""The benches of cache, limits and bytes in short: that they run, and what no busy machine can change."""

import shutil

import pytest

from bench.bytes.__main__ import build_bytes_results, measure_bytes
from bench.cache.__main__ import run_replay_process
from bench.limits.cost import measure_seconds_per_call
from bench.results_page import PAGE_HEADER, SECTIONS
from testing.services import MissingServiceError, RedisServer
from testing.site import PROJECT_ROOT, create_database


@pytest.mark.redis
def test_zipf_traffic_hits(redis_server: RedisServer) -> None:
    found = run_replay_process(redis_server.url, create_database(), reports=20, operations=400, seed=1)
    assert 300 < sum(found["lookups"].values()) < 400
    assert found["hit_rate"] > 0.8


@pytest.mark.redis
async def test_the_cost_of_a_limit_is_told(redis_server: RedisServer) -> None:
    assert len(await measure_seconds_per_call(redis_server.url, 5)) == 4


def test_a_short_diagnosis_by_socket_takes_fewer_bytes_than_by_polling() -> None:
    if shutil.which("node") is None or not (PROJECT_ROOT / "miniprogram" / "node_modules" / "ws").exists():
        raise MissingServiceError("node with the packages of the mini-program")
    short = build_bytes_results(measure_bytes(3))[0]
    assert short.is_held


def test_the_page_names_the_command_of_every_bench() -> None:
    page = (PROJECT_ROOT / "docs" / "benchmarks.md").read_text()
    assert page.startswith(PAGE_HEADER)
    for name in ("push", "bytes", "cache", "jobs", "limits"):
        assert f"`{SECTIONS[name][1]}`" in page
