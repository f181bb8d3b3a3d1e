"""How many events one server process on one core delivers, in a closed loop."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.environment import BENCH_SITE_SETTINGS
from bench.push.feeds import Feed, LayerFeed, LineFeed, LogFeed, feed_closed_loop
from bench.push.load import ARRIVED_COUNTER, LoadClient
from bench.push.servers import RunningServer, ServerSpec, running_bench_server
from testing.site import build_environment, sign_in_device

EVENTS_IN_FLIGHT_PER_SOCKET = 2
THROUGHPUT_WARM_UP_SECONDS = 1.0
DEVICE = "device-of-the-bench"


@dataclass(frozen=True)
class PushEnvironment:
    """What the servers run on, the number of sockets, and the core of the server (None: any)."""

    address: str
    redis_url: str
    sockets: int
    server_core: int | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a server."""
        return build_environment(self.address, REDIS_URL=self.redis_url, **BENCH_SITE_SETTINGS)


@dataclass(frozen=True)
class Throughput:
    """Deliveries and frames per second, share of a core that server and load client were busy, lost events."""

    deliveries: float
    frames: float
    server_cpu: float
    client_cpu: float
    lost: int

    @property
    def deliveries_per_cpu_second(self) -> float:
        """Deliveries per second of the server's CPU time, which does not depend on how much of the core it got."""
        return self.deliveries / self.server_cpu


@contextmanager
def running_feed(environment: PushEnvironment, server: RunningServer, events: int) -> Iterator[Feed]:
    """Run the block with the feed of a server, for at most so many events per socket."""
    feed: Feed
    if server.spec.kind == "log":
        feed = LogFeed(
            environment.address,
            environment.redis_url,
            sign_in_device(server.port, DEVICE),
            sockets=environment.sockets,
            events=events,
        )
    elif server.spec.kind == "layer":
        feed = LayerFeed(environment.redis_url, [(f"/{index}", "") for index in range(environment.sockets)])
    else:
        path = "/socket.io/?EIO=4&transport=websocket&i={}" if "socket.io" in server.spec.name else "/{}"
        feed = LineFeed(server.feed_port, [(path.format(index), "") for index in range(environment.sockets)])
    try:
        yield feed
    finally:
        feed.close()


def measure_throughput(
    environment: PushEnvironment,
    spec: ServerSpec,
    seconds: float,
    max_per_second: int,
    *,
    warm_up_seconds: float = THROUGHPUT_WARM_UP_SECONDS,
) -> Throughput:
    """Start a server, connect, warm up and measure.

    max_per_second: an upper bound of the deliveries, as the log is written beforehand.
    """
    events = int((seconds + warm_up_seconds) * max_per_second / environment.sockets) + 2 * EVENTS_IN_FLIGHT_PER_SOCKET
    with (
        running_bench_server(spec, environment.variables, core=environment.server_core) as server,
        running_feed(environment, server, events) as feed,
        LoadClient(server.port, feed.targets) as client,
    ):
        in_flight = EVENTS_IN_FLIGHT_PER_SOCKET * environment.sockets

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
