"""The benches of the push path in short: that they run, and what no busy machine can change."""

import pytest

from bench.push.latency import measure_latency
from bench.push.load import compiler
from bench.push.memory import bytes_a_socket
from bench.push.overload import overload
from bench.push.servers import BARE, ON_UVICORN, PLAIN, Contestant
from bench.push.throughput import World, measure_once
from diagsite.tests.services import RedisServer, missing
from diagsite.tests.site import new_database

pytestmark = pytest.mark.redis

SOCKETS = 20


@pytest.fixture
def world(redis_server: RedisServer) -> World:
    if compiler() is None:
        missing("a C compiler")
    return World(new_database(), redis_server.url, SOCKETS)


@pytest.mark.parametrize("contestant", [ON_UVICORN, BARE, PLAIN], ids=lambda one: one.name)
def test_every_server_delivers_what_it_is_fed(world: World, contestant: Contestant) -> None:
    found = measure_once(world, contestant, seconds=1, most_a_second=6_000, warm_up_seconds=0.1)
    assert found.deliveries > 0
    assert found.server_cpu > 0
    assert found.lost == 0


def test_every_event_that_is_written_arrives_in_its_order_with_its_time(world: World) -> None:
    two = World(world.address, world.redis_url, 2)  # so that many of each are under way
    found = measure_latency(two, rate=400, seconds=0.25, warm_up_seconds=0)
    assert (found.tally.arrived, found.tally.missed, found.tally.repeated) == (found.written, 0, 0)
    assert 0 < found.tally.p50_us <= found.tally.most_us


def test_of_far_too_many_events_none_is_lost(world: World) -> None:
    found = overload(world, a_second=40_000, seconds=0.2)
    assert (found.tally.arrived, found.tally.missed, found.tally.repeated) == (found.events, 0, 0)
    assert found.tally.closed == 0


def test_the_memory_of_a_socket_is_told(world: World) -> None:
    assert bytes_a_socket(World(world.address, world.redis_url, 60), BARE, settle_seconds=0.1) > 1000
