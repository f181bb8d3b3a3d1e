"""How much one server process delivers: each contestant in turn, in every round, in a closed loop on one core."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from bench.push.feeds import Feed, LayerFeed, LineFeed, LogFeed, feed_closed_loop
from bench.push.load import ARRIVED_COUNTER, LoadClient
from bench.push.servers import BENCH_SITE_SETTINGS, RunningServer, ServerSpec, running_bench_server

EVENTS_IN_FLIGHT_PER_SOCKET = 2  # events on their way to each socket
THROUGHPUT_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class PushEnvironment:
    """What the contestants stand on. cores: of the server and of all else, None for any."""

    address: str
    redis_url: str
    sockets: int
    server_core: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Of a contestant."""
        from testing.site import build_environment

        return build_environment(self.address, REDIS_URL=self.redis_url, **BENCH_SITE_SETTINGS)


@dataclass(frozen=True)
class Throughput:
    """Deliveries and frames a second, and the share of a core that the server and the load client were busy."""

    deliveries: float
    frames: float
    server_cpu: float
    client_cpu: float
    lost: int

    @property
    def deliveries_per_cpu_second(self) -> float:
        """Deliveries in a second of the server's processor time, however much of the core it got or needed."""
        return self.deliveries / self.server_cpu


def get_device_token(port: int) -> str:
    """A device signs in; its user is the last one in the table."""
    answer = httpx.post(f"http://127.0.0.1:{port}/api/session", json={"device_id": "device-of-the-bench"}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["token"])


@contextmanager
def running_feed(world: PushEnvironment, server: RunningServer, events: int) -> Iterator[Feed]:
    """What feeds a server; events: at most so many for each socket."""
    feed: Feed
    if server.spec.kind == "log":
        feed = LogFeed(
            world.address, world.redis_url, get_device_token(server.port), sockets=world.sockets, events=events
        )
    elif server.spec.kind == "layer":
        feed = LayerFeed(world.redis_url, [(f"/{index}", "") for index in range(world.sockets)])
    else:
        path = "/socket.io/?EIO=4&transport=websocket&i={}" if "socket.io" in server.spec.name else "/{}"
        feed = LineFeed(server.feed_port, [(path.format(index), "") for index in range(world.sockets)])
    try:
        yield feed
    finally:
        feed.close()


def measure_throughput(
    world: PushEnvironment,
    spec: ServerSpec,
    seconds: float,
    max_per_second: int,
    *,
    warm_up_seconds: float = THROUGHPUT_WARM_UP_SECONDS,
) -> Throughput:
    """Serve, connect, warm up, measure. most_a_second: more than it will deliver, for what is written beforehand."""
    events = int((seconds + warm_up_seconds) * max_per_second / world.sockets) + 2 * EVENTS_IN_FLIGHT_PER_SOCKET
    with (
        running_bench_server(spec, world.environment, core=world.server_core) as server,
        running_feed(world, server, events) as feed,
        LoadClient(server.port, feed.targets) as client,
    ):
        in_flight = EVENTS_IN_FLIGHT_PER_SOCKET * world.sockets

        def arrived() -> int:
            return client.read_counter(ARRIVED_COUNTER)

        feed_closed_loop(feed, arrived, warm_up_seconds, in_flight=in_flight)
        before, cpu, started = client.get_tally(), server.get_cpu_seconds(), time.monotonic()
        feed_closed_loop(feed, arrived, seconds, in_flight=in_flight)
        after, took = client.get_tally(), time.monotonic() - started
        return Throughput(
            (after.arrived - before.arrived) / took,
            (after.frames - before.frames) / took,
            (server.get_cpu_seconds() - cpu) / took,
            (after.cpu - before.cpu) / took,
            after.missed,
        )
