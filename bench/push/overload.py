"""Far more events than one process can deliver: they come late, and all of them come."""

import time
from dataclasses import dataclass

from bench.harness import BenchmarkResult
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED_COUNTER, LoadClient, Tally
from bench.push.servers import DAPHNE, running_bench_server
from bench.push.throughput import PushEnvironment, get_device_token

TICK_SECONDS = 0.1


@dataclass(frozen=True)
class OverloadMeasurement:
    """What became of it; seconds until all had arrived, since the first was there to be sent."""

    tally: Tally
    events: int
    offered_per_second: float
    seconds: float
    memory_growth: int


def measure_overload(world: PushEnvironment, *, events_per_second: float, seconds: float) -> OverloadMeasurement:
    """Offer so many events a second for so long, whatever has arrived; wait for the rest."""
    ticks = max(1, round(seconds / TICK_SECONDS))
    events_per_tick = max(1, round(events_per_second * TICK_SECONDS / world.sockets))  # for each socket
    with running_bench_server(DAPHNE, world.environment, core=world.server_core) as server:
        token = get_device_token(server.port)
        feed = LogFeed(world.address, world.redis_url, token, sockets=world.sockets, events=ticks * events_per_tick)
        with LoadClient(server.port, feed.targets) as client:
            memory, started = server.get_memory_bytes(), time.monotonic()
            for tick in range(ticks):
                time.sleep(max(0, started + tick * TICK_SECONDS - time.monotonic()))
                feed.publish(feed.streams, events_per_tick)
            offered = time.monotonic() - started
            events = ticks * events_per_tick * world.sockets
            client.wait_for(ARRIVED_COUNTER, events, 120)
            took, growth, tally = time.monotonic() - started, server.get_memory_bytes() - memory, client.get_tally()
        feed.close()
    return OverloadMeasurement(tally, events, events / max(offered, seconds), took, growth)


def build_overload_result(found: OverloadMeasurement, sustainable: float) -> BenchmarkResult:
    """Against the promise."""
    tally = found.tally
    return BenchmarkResult(
        "events lost at 10x the sustainable rate, daphne",
        "0 (late, not lost)",
        f"{tally.missed} lost, {tally.repeated} repeated, {tally.closed} sockets dropped of {found.events:,} events at "
        f"{found.offered_per_second:,.0f}/s ({found.offered_per_second / sustainable:.1f}x); all there after "
        f"{found.seconds:.1f} s, {found.memory_growth / 2**20:.0f} MiB more",
        not (tally.missed or tally.repeated or tally.closed) and found.offered_per_second >= 9.5 * sustainable,
    )
