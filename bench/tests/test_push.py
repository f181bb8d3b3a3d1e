"""The benches of the push path in short: that they run, and what no busy machine can change."""

import pytest

from bench.push.latency import measure_latency
from bench.push.load import find_compiler
from bench.push.memory import measure_bytes_per_socket
from bench.push.overload import measure_overload
from bench.push.servers import BARE_WEBSOCKETS, ON_UVICORN, PLAIN_CHANNELS, ServerSpec
from bench.push.throughput import PushEnvironment, measure_throughput
from testing.services import MissingServiceError, RedisServer
from testing.site import create_database

pytestmark = pytest.mark.redis

SOCKETS = 20


@pytest.fixture
def world(redis_server: RedisServer) -> PushEnvironment:
    if find_compiler() is None:
        raise MissingServiceError("a C compiler")
    return PushEnvironment(create_database(), redis_server.url, SOCKETS)


@pytest.mark.parametrize("contestant", [ON_UVICORN, BARE_WEBSOCKETS, PLAIN_CHANNELS], ids=lambda one: one.name)
def test_every_server_delivers_what_it_is_fed(world: PushEnvironment, contestant: ServerSpec) -> None:
    found = measure_throughput(world, contestant, seconds=1, max_per_second=6_000, warm_up_seconds=0.1)
    assert found.deliveries > 0
    assert found.server_cpu > 0
    assert found.lost == 0


def test_every_event_that_is_written_arrives_in_its_order_with_its_time(world: PushEnvironment) -> None:
    two = PushEnvironment(world.address, world.redis_url, 2)  # so that many of each are under way
    found = measure_latency(two, rate=400, seconds=0.25, warm_up_seconds=0)
    assert (found.tally.arrived, found.tally.missed, found.tally.repeated) == (found.written, 0, 0)
    assert 0 < found.tally.p50_us <= found.tally.most_us


def test_of_far_too_many_events_none_is_lost(world: PushEnvironment) -> None:
    found = measure_overload(world, events_per_second=40_000, seconds=0.2)
    assert (found.tally.arrived, found.tally.missed, found.tally.repeated) == (found.events, 0, 0)
    assert found.tally.closed == 0


def test_the_memory_of_a_socket_is_told(world: PushEnvironment) -> None:
    assert (
        measure_bytes_per_socket(
            PushEnvironment(world.address, world.redis_url, 60), BARE_WEBSOCKETS, settle_seconds=0.1
        )
        > 1000
    )
