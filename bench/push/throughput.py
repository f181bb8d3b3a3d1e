"""How much one server process delivers: each contestant in turn, in every round, in a closed loop on one core."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.push.feeds import Feed, LayerFeed, LineFeed, LogFeed, feed_until
from bench.push.load import ARRIVED, Client
from bench.push.servers import OURS, Contestant, Served, served

IN_FLIGHT = 2  # events on their way to each socket
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class World:
    """What the contestants stand on. cores: of the server and of all else, None for any."""

    address: str
    redis_url: str
    sockets: int
    server_core: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Of a contestant."""
        from diagsite.tests.site import environment

        return environment(self.address, REDIS_URL=self.redis_url, **OURS)


@dataclass(frozen=True)
class Throughput:
    """Deliveries and frames a second, and the share of a core that the server and the load client were busy."""

    deliveries: float
    frames: float
    server_cpu: float
    client_cpu: float
    lost: int

    @property
    def a_busy_second(self) -> float:
        """Deliveries in a second of the server's processor time, however much of the core it got or needed."""
        return self.deliveries / self.server_cpu


def token_for(port: int) -> str:
    """A device signs in; its user is the last one in the table."""
    answer = httpx.post(f"http://127.0.0.1:{port}/api/session", json={"device_id": "device-of-the-bench"}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["token"])


@contextmanager
def fed(world: World, server: Served, events: int) -> Iterator[Feed]:
    """What feeds a server; events: at most so many for each socket."""
    feed: Feed
    if server.contestant.kind == "log":
        feed = LogFeed(world.address, world.redis_url, token_for(server.port), sockets=world.sockets, events=events)
    elif server.contestant.kind == "layer":
        feed = LayerFeed(world.redis_url, [(f"/{index}", "") for index in range(world.sockets)])
    else:
        path = "/socket.io/?EIO=4&transport=websocket&i={}" if "socket.io" in server.contestant.name else "/{}"
        feed = LineFeed(server.feed_port, [(path.format(index), "") for index in range(world.sockets)])
    try:
        yield feed
    finally:
        feed.close()


def measure_once(
    world: World,
    contestant: Contestant,
    seconds: float,
    most_a_second: int,
    *,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> Throughput:
    """Serve, connect, warm up, measure. most_a_second: more than it will deliver, for what is written beforehand."""
    events = int((seconds + warm_up_seconds) * most_a_second / world.sockets) + 2 * IN_FLIGHT
    with (
        served(contestant, world.environment, core=world.server_core) as server,
        fed(world, server, events) as feed,
        Client(server.port, feed.targets) as client,
    ):
        in_flight = IN_FLIGHT * world.sockets

        def arrived() -> int:
            return client.counter(ARRIVED)

        feed_until(feed, arrived, warm_up_seconds, in_flight=in_flight)
        before, cpu, started = client.show(), server.cpu_seconds(), time.monotonic()
        feed_until(feed, arrived, seconds, in_flight=in_flight)
        after, took = client.show(), time.monotonic() - started
        return Throughput(
            (after.arrived - before.arrived) / took,
            (after.frames - before.frames) / took,
            (server.cpu_seconds() - cpu) / took,
            (after.cpu - before.cpu) / took,
            after.missed,
        )
