"""Far more events than one process can deliver: they come late, and all of them come."""

import time
from dataclasses import dataclass

from bench.figures import Figure
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED, Client, Tally
from bench.push.servers import DAPHNE, served
from bench.push.throughput import World, token_for

TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Overload:
    """What became of it; seconds until all had arrived, since the first was there to be sent."""

    tally: Tally
    events: int
    offered_a_second: float
    seconds: float
    memory_growth: int


def overload(world: World, *, a_second: float, seconds: float) -> Overload:
    """Offer so many events a second for so long, whatever has arrived; wait for the rest."""
    ticks = max(1, round(seconds / TICK_SECONDS))
    a_tick = max(1, round(a_second * TICK_SECONDS / world.sockets))  # for each socket
    with served(DAPHNE, world.environment, core=world.server_core) as server:
        token = token_for(server.port)
        feed = LogFeed(world.address, world.redis_url, token, sockets=world.sockets, events=ticks * a_tick)
        with Client(server.port, feed.targets) as client:
            memory, started = server.memory(), time.monotonic()
            for tick in range(ticks):
                time.sleep(max(0, started + tick * TICK_SECONDS - time.monotonic()))
                feed.reveal(feed.streams, a_tick)
            offered = time.monotonic() - started
            events = ticks * a_tick * world.sockets
            client.wait_for(ARRIVED, events, 120)
            took, growth, tally = time.monotonic() - started, server.memory() - memory, client.show()
        feed.close()
    return Overload(tally, events, events / max(offered, seconds), took, growth)


def overload_figure(found: Overload, sustainable: float) -> Figure:
    """Against the promise."""
    tally = found.tally
    return Figure(
        "events lost at 10x the sustainable rate, daphne",
        "0 (late, not lost)",
        f"{tally.missed} lost, {tally.repeated} repeated, {tally.closed} sockets dropped of {found.events:,} events at "
        f"{found.offered_a_second:,.0f}/s ({found.offered_a_second / sustainable:.1f}x); all there after "
        f"{found.seconds:.1f} s, {found.memory_growth / 2**20:.0f} MiB more",
        not (tally.missed or tally.repeated or tally.closed) and found.offered_a_second >= 9.5 * sustainable,
    )
