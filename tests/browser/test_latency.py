"""From the commit of an event to its arrival at a follower."""

import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from testing.clients.stream_client import StreamClient, assert_received_every_event_once
from testing.fakes.platform import FakePlatform, hold_response, respond_with_answer
from testing.invariants import request_diagnosis
from testing.services import RedisServer, get_load_factor, wait_until
from testing.site import Site, running_site

EVENTS = 200
MAX_SECONDS = 1.0


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _measure(site: Site, fake: FakePlatform, rng: random.Random) -> list[float]:
    """Seconds of every event of one diagnosis, from just before its commit to its arrival at a socket."""
    fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.05, 0.4)))
    for slug in ("one", "two"):
        site.add_platform(slug, fake.base_url)
    with site.client() as client:
        follower = StreamClient(site, request_diagnosis(client, ["one", "two"], questions=20, repeats=3))
    follower.follow_until_complete()
    assert_received_every_event_once(follower)
    return _lags(follower)


def _lags(follower: StreamClient) -> list[float]:
    rows = follower.site.query(
        "SELECT seq, created_at FROM progress_event WHERE stream_id = %s", follower.diagnosis.stream
    )
    return [(follower.arrived_at[seq] - created_at).total_seconds() for seq, created_at in rows]


def _judge(seconds: list[float], record_property: Callable[[str, object], None]) -> None:
    p50, p95 = _quantile(seconds, 0.5), _quantile(seconds, 0.95)
    figures = f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms"
    record_property("commit to socket", f"{figures}, {len(seconds)} events")
    assert len(seconds) >= EVENTS
    assert p95 < MAX_SECONDS * get_load_factor()


def test_an_event_reaches_a_socket_of_the_same_process_at_once(
    fake: FakePlatform, rng: random.Random, record_property: Callable[[str, object], None]
) -> None:
    with running_site() as site:
        _judge(_measure(site, fake, rng), record_property)


@pytest.mark.redis
def test_an_event_of_a_worker_reaches_a_socket_of_a_server_at_once(
    fake: FakePlatform,
    redis_server: RedisServer,
    rng: random.Random,
    record_property: Callable[[str, object], None],
) -> None:
    with running_site(concurrency=0, REDIS_URL=redis_server.url) as site, site.make_worker():
        _judge(_measure(site, fake, rng), record_property)


def test_answers_that_all_come_at_once_are_told_while_others_are_still_being_stored(
    fake: FakePlatform, record_property: Callable[[str, object], None]
) -> None:
    with running_site(JOB_STALLED_SECONDS="30") as site, site.client() as client:
        site.add_platform("one", fake.base_url, concurrency=100)
        bursts = []
        for number in range(1, 4):  # it takes half a second, in which a busy machine may do something else
            bursts.append(
                _burst(
                    site, fake, StreamClient(site, request_diagnosis(client, ["one"], questions=20, repeats=5)), number
                )
            )
            if bursts[-1][0] < bursts[-1][1] / 2:
                break
    lag, seconds = bursts[-1]
    record_property("lag in a burst", f"p50 {lag * 1000:.0f} ms, {seconds * 1000:.0f} ms to store all")
    assert lag < seconds / 2, bursts


def _burst(site: Site, fake: FakePlatform, follower: StreamClient, number: int) -> tuple[float, float]:
    """The median lag of the events of answers that come all at once, and how long storing them took."""
    fake.hold_new_calls()
    fake.set_behaviour(hold_response())
    with ThreadPoolExecutor() as pool:
        watching = pool.submit(follower.follow_until_complete)
        fake.wait_for_calls(number * follower.diagnosis.planned)
        wait_until(lambda: follower.events, "it to follow")
        fake.release()
        watching.result()
    stored = "SELECT max(created_at) - min(created_at) FROM progress_event WHERE kind = 'result' AND stream_id = %s"
    return _quantile(_lags(follower), 0.5), site.query(stored, follower.diagnosis.stream)[0][0].total_seconds()
