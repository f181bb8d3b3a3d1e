"""A follower on a bad network: however often it is cut, it gets every event once and in order."""

import random
from collections.abc import Iterator

import pytest

from diagsite.tests.fake_platform import FakePlatform, answer, hold
from diagsite.tests.follower import Follower, assert_received_everything_once
from diagsite.tests.proof import assert_sound, order, seeded
from diagsite.tests.site import Site, running_site

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
    return seeded(request)


@pytest.mark.parametrize("ways", [["watch"], ["poll"], ["watch", "poll"]], ids=["socket", "polling", "both in turn"])
def test_a_follower_that_is_cut_twenty_times_gets_every_event_once_and_in_order(
    site: Site, fake: FakePlatform, rng: random.Random, ways: list[str]
) -> None:
    fake.behave(answer(after=lambda: rng.uniform(0.05, 0.3)), model="steady")
    fake.behave(hold(), model="last")  # so that it does not end before the cuts do
    fake.hold_again()
    with site.client() as client:
        follower = Follower(site, order(client, ["steady", "last"], questions=20, repeats=2))
    follower.be_cut(CUTS, rng, [getattr(follower, way) for way in ways])
    assert follower.cuts == CUTS
    fake.release()
    while not follower.is_complete and ways == ["poll"]:
        follower.poll()
    follower.watch_until_complete()
    assert_received_everything_once(follower)
    assert assert_sound(site, follower.ordered) == "completed"


def test_a_follower_that_comes_after_the_end_gets_the_whole_log_and_a_good_bye(site: Site, fake: FakePlatform) -> None:
    fake.release()
    with site.client() as client:
        ordered = order(client, ["last"])
    Follower(site, ordered).watch_until_complete()
    late = Follower(site, ordered)
    assert late.watch() == 1000
    assert_received_everything_once(late)
