"""A client on an unreliable network gets every event once and in order."""

import random
from collections.abc import Iterator

import pytest

from testing.fake_platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import assert_consistent, make_seeded_rng, request_diagnosis
from testing.site import Site, running_site
from testing.stream_client import StreamClient, assert_received_every_event_once

CUTS = 20


@pytest.fixture(scope="module")
def fake() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        yield server


@pytest.fixture(scope="module")
def site(fake: FakePlatform) -> Iterator[Site]:
    with running_site() as running:
        for slug in ("steady", "last"):
            running.add_platform(slug, fake.base_url, concurrency=3)
        yield running


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    return make_seeded_rng(request)


@pytest.mark.parametrize("ways", [["watch"], ["poll"], ["watch", "poll"]], ids=["socket", "polling", "both in turn"])
def test_client_cut_off_twenty_times_gets_every_event_once_in_order(
    site: Site, fake: FakePlatform, rng: random.Random, ways: list[str]
) -> None:
    fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.3)), model="steady")
    fake.set_behaviour(hold_response(), model="last")  # so that it does not end before the cuts do
    fake.hold_new_calls()
    with site.client() as client:
        follower = StreamClient(site, request_diagnosis(client, ["steady", "last"], questions=20, repeats=2))
    follower.follow_with_disconnects(CUTS, rng, [getattr(follower, way) for way in ways])
    assert follower.disconnect_count == CUTS
    fake.release()
    while not follower.is_complete and ways == ["poll"]:
        follower.poll()
    follower.follow_until_complete()
    assert_received_every_event_once(follower)
    assert assert_consistent(site, follower.diagnosis) == "completed"


def test_client_connecting_after_the_end_gets_the_whole_log_and_a_close(site: Site, fake: FakePlatform) -> None:
    fake.release()
    with site.client() as client:
        started = request_diagnosis(client, ["last"])
    StreamClient(site, started).follow_until_complete()
    late = StreamClient(site, started)
    assert late.follow_socket() == 1000
    assert_received_every_event_once(late)
