"""More events than one process can deliver: late, but none is lost."""

import time
from dataclasses import dataclass

from bench.harness import BenchmarkResult
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED_COUNTER, LoadClient, Tally
from bench.push.servers import DAPHNE, running_bench_server
from bench.push.throughput import DEVICE, PushEnvironment
from testing.site import sign_in_device

TICK_SECONDS = 0.1


@dataclass(frozen=True)
class OverloadMeasurement:
    """What the client received, and the seconds from the first publication until all had arrived."""

    tally: Tally
    events: int
    offered_per_second: float
    seconds: float
    memory_growth: int


def measure_overload(environment: PushEnvironment, *, events_per_second: float, seconds: float) -> OverloadMeasurement:
    """Publish at a rate for so long regardless of arrivals, and wait for the rest."""
    ticks = max(1, round(seconds / TICK_SECONDS))
    events_per_tick = max(1, round(events_per_second * TICK_SECONDS / environment.sockets))  # for each socket
    with running_bench_server(DAPHNE, environment.variables, core=environment.server_core) as server:
        token = sign_in_device(server.port, DEVICE)
        feed = LogFeed(
            environment.address,
            environment.redis_url,
            token,
            sockets=environment.sockets,
            events=ticks * events_per_tick,
        )
        with LoadClient(server.port, feed.targets) as client:
            memory, started = server.get_memory_bytes(), time.monotonic()
            for tick in range(ticks):
                time.sleep(max(0, started + tick * TICK_SECONDS - time.monotonic()))
                feed.publish(feed.streams, events_per_tick)
            offered = time.monotonic() - started
            events = ticks * events_per_tick * environment.sockets
            client.wait_for(ARRIVED_COUNTER, events, 120)
            took, growth, tally = time.monotonic() - started, server.get_memory_bytes() - memory, client.get_tally()
        feed.close()
    return OverloadMeasurement(tally, events, events / max(offered, seconds), took, growth)


def build_overload_result(found: OverloadMeasurement, sustainable: float) -> BenchmarkResult:
    """Compare with the target."""
    tally = found.tally
    return BenchmarkResult(
        "events lost at 10x the sustainable rate, daphne",
        "0 (late, not lost)",
        f"{tally.missed} lost, {tally.repeated} repeated, {tally.closed} sockets dropped of {found.events:,} events at "
        f"{found.offered_per_second:,.0f}/s ({found.offered_per_second / sustainable:.1f}x); all there after "
        f"{found.seconds:.1f} s, {found.memory_growth / 2**20:.0f} MiB more",
        not (tally.missed or tally.repeated or tally.closed) and found.offered_per_second >= 9.5 * sustainable,
    )
