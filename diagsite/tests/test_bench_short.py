"""The benches of cache, limits and bytes in short: that they run, and what no busy machine can change."""

import shutil

import pytest

from bench.alerts.__main__ import MODULES
from bench.bytes.__main__ import bytes_figures, measure
from bench.cache.__main__ import replay
from bench.limits.cost import seconds_a_call
from bench.page import HEAD, SECTIONS
from diagsite.tests.services import RedisServer, missing
from diagsite.tests.site import ROOT, new_database


@pytest.mark.redis
def test_zipf_traffic_hits(redis_server: RedisServer) -> None:
    found = replay(redis_server.url, new_database(), reports=20, operations=400, seed=1)
    assert 300 < sum(found["lookups"].values()) < 400
    assert found["hit_rate"] > 0.8


@pytest.mark.redis
async def test_the_cost_of_a_limit_is_told(redis_server: RedisServer) -> None:
    assert len(await seconds_a_call(redis_server.url, 5)) == 4


def test_a_short_diagnosis_by_socket_takes_fewer_bytes_than_by_polling() -> None:
    if shutil.which("node") is None or not (ROOT / "miniprogram" / "node_modules" / "ws").exists():
        missing("node with the packages of the mini-program")
    short = bytes_figures(measure(3))[0]
    assert short.is_held


def test_the_page_names_the_command_of_every_bench() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert page.startswith(HEAD)
    for name in ("push", "bytes", "cache", "jobs", "limits"):
        assert f"`{SECTIONS[name][1]}`" in page


@pytest.mark.parametrize("name", MODULES)
def test_each_part_of_the_alerts_bench_keeps_its_figures_where_the_whole_looks_for_them(name: str) -> None:
    assert f'"alerts-{name}"' in (ROOT / "bench" / "alerts" / f"{name}.py").read_text()
