"""Short forms of the attacks: what no busy machine can change."""

import contextlib
import gzip
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bench.chaos.attacks.credentials import LIMITS, count_statuses
from bench.chaos.attacks.operator import run_hostile_operator
from bench.chaos.attacks.peers import KINDS, HostilePeers
from bench.chaos.attacks.platforms import build_hostile_behaviours, observe_worker
from bench.chaos.attacks.sockets import create_hostile_streams
from bench.chaos.cluster import ChaosEnvironment
from bench.chaos.scenario import ScenarioContext
from bench.chaos.workload import WorkloadSize
from testing.fakes.platform import FakePlatform
from testing.services import LOCAL_HTTPX_OPTIONS, wait_until
from testing.site import Site, running_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(concurrency=0, **LIMITS) as running:
        yield running


def _count_opened_sockets(site: Site) -> float:
    metrics = httpx.get(f"{site.url}/metrics", **LOCAL_HTTPX_OPTIONS).text
    match = re.search(r"^progress_sockets_opened_total (\S+)", metrics, re.MULTILINE)
    assert match
    return float(match[1])


def test_a_server_survives_hostile_peers(site: Site) -> None:
    targets, before = create_hostile_streams(site, 3), _count_opened_sockets(site)
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            stack.enter_context(HostilePeers(site.port, kind, targets, seed=1))
        wait_until(lambda: _count_opened_sockets(site) >= before + 3 * len(KINDS), "the peers")
        assert httpx.get(f"{site.url}/readyz", **LOCAL_HTTPX_OPTIONS).status_code == 200
    assert "Traceback" not in site.server.read_output()


def test_no_spelling_of_a_credential_is_a_fresh_caller(site: Site, rng: random.Random) -> None:
    statuses = count_statuses(site, 50, rng)
    assert set(statuses) == {401, 429}


def test_no_operator_text_reaches_an_inside_address_or_a_file(tmp_path: Path, rng: random.Random) -> None:
    size = replace(WorkloadSize(), schemes=3)
    result = run_hostile_operator(ScenarioContext("operator", ChaosEnvironment(tmp_path), rng, size))
    assert result.is_held, result.measured


def test_a_bomb_of_a_platform_is_no_answer() -> None:
    with FakePlatform() as fake, FakePlatform() as inside:
        kinds = build_hostile_behaviours(gzip.compress(bytes(2**24)), inside)
        fake.set_behaviour(kinds["sends a gzip bomb"])
        assert observe_worker("bomb", fake.base_url, 2).outcomes == {"unreadable": 2}
        fake.set_behaviour(kinds["redirects to an inside address"])
        assert "valid" not in observe_worker("redirect", fake.base_url, 2).outcomes
        assert not inside.calls
