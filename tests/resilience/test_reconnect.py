"""A client on a bad network gets every event once and in order, however often it is disconnected."""

import random
from collections.abc import Iterator

import pytest

from testing.clients.stream_client import StreamClient, assert_received_every_event_once
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import assert_consistent, request_diagnosis
from testing.site import Site, running_site

DISCONNECTS = 20


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


def test_a_client_that_is_disconnected_twenty_times_gets_every_event_once_and_in_order(
    site: Site, fake: FakePlatform, rng: random.Random
) -> None:
    """By socket and by polling in turn."""
    fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.3)), model="steady")
    fake.set_behaviour(hold_response(), model="last")  # so that the diagnosis does not end before the last disconnect
    fake.hold_new_calls()
    with site.client() as client:
        stream_client = StreamClient(site, request_diagnosis(client, ["steady", "last"], questions=20, repeats=2))
    stream_client.follow_with_disconnects(DISCONNECTS, rng, [stream_client.follow_socket, stream_client.poll])
    assert stream_client.disconnect_count == DISCONNECTS
    fake.release()
    stream_client.follow_until_complete()
    assert_received_every_event_once(stream_client)
    assert assert_consistent(site, stream_client.diagnosis) == "completed"
