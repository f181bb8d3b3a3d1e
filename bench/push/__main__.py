"""The push path, beside what one could have taken instead: `make bench-push`.

    python -m bench.push [--sockets N] [--seconds S] [--rounds N] [--only throughput,latency,memory,overload]

Server and load are kept to a core each where there are two. Contestants take turns in every round; medians count.
"""

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable
from functools import cache

from bench.alerts.services import own_services
from bench.figures import Figure, named, report
from bench.push.latency import latency_figures, measure_latency
from bench.push.memory import bytes_a_socket
from bench.push.overload import overload, overload_figure
from bench.push.servers import (
    BARE,
    DAPHNE,
    NODE_WS,
    ON_UVICORN,
    ON_UVLOOP,
    PEERS,
    PLAIN,
    SOCKET_IO,
    Contestant,
    everything_on,
    have_two_cores,
)
from bench.push.throughput import Throughput, World, measure_once

RATE = 500
MOST_A_SECOND = 90_000
OVERLOAD_SECONDS = 2.0
PARTS = ("throughput", "latency", "memory", "overload")


class Measurements:
    """What the figures are made of; each is taken once, when the first figure asks for it."""

    def __init__(self, world: World, seconds: float, rounds: int, cores: set[int]) -> None:
        self.world, self.seconds, self.rounds, self.cores = world, seconds, rounds, cores

    @cache  # noqa: B019 - one a run
    def throughputs(self) -> dict[str, list[Throughput]]:
        """By name, one a round."""
        found: dict[str, list[Throughput]] = {one.name: [] for one in contestants()}
        for _ in range(self.rounds):
            for one in contestants():
                found[one.name].append(measure_once(self.world, one, self.seconds, MOST_A_SECOND))
        return found

    def a_second(self, contestant: Contestant) -> float:
        """The median of its deliveries a second of its processor's time: what a busy core sustains."""
        return statistics.median(one.a_busy_second for one in self.throughputs()[contestant.name])


def contestants() -> list[Contestant]:
    """In the order of a round."""
    missing = [SOCKET_IO] if not (PEERS.parent / "node_modules" / "socket.io").exists() else []
    every = [DAPHNE, BARE, ON_UVICORN, PLAIN, NODE_WS, SOCKET_IO, ON_UVLOOP]
    return [one for one in every if one not in missing]


def throughput_figures(found: Measurements) -> list[Figure]:
    """deliveries of one server process, beside others"""
    bare, plain = found.a_second(BARE), found.a_second(PLAIN)
    ratios = [(DAPHNE, BARE, 0.25), (ON_UVICORN, BARE, 0.6), (DAPHNE, PLAIN, 2.5)]
    bars = {BARE.name: bare, PLAIN.name: plain}
    figures = []
    for ours, other, least in ratios:
        ratio = found.a_second(ours) / bars[other.name]
        measured = f"{ratio:.2f}x ({found.a_second(ours):,.0f} against {bars[other.name]:,.0f})"
        figures.append(
            Figure(f"deliveries/s: {ours.name}, against {other.name}", f">= {least}x", measured, ratio >= least)
        )
    for one in contestants():
        figures.append(_row(one, found.throughputs()[one.name]))
    most = max(one.client_cpu for rounds in found.throughputs().values() for one in rounds)
    figures.append(Figure("share of a core that the load client was busy, at most", "< 0.8", f"{most:.2f}", most < 0.8))
    lost = sum(one.lost for rounds in found.throughputs().values() for one in rounds)
    figures.append(Figure("events lost by any of them", "0", str(lost), lost == 0))
    return figures


def _row(contestant: Contestant, rounds: list[Throughput]) -> Figure:
    def median(of: Callable[[Throughput], float]) -> float:
        return statistics.median(of(one) for one in rounds)

    return Figure(
        f"deliveries/s: {contestant.name}",
        "told",
        f"{median(lambda one: one.a_busy_second):,.0f} in a second of its core; seen: "
        f"{median(lambda one: one.deliveries):,.0f}/s in {median(lambda one: one.frames):,.0f} frames "
        f"at {median(lambda one: one.server_cpu):.0%} of it",
        True,
    )


def memory_figures(found: Measurements, sockets: int) -> list[Figure]:
    """memory of an idle socket"""
    world = World(found.world.address, found.world.redis_url, sockets)
    figures: list[Figure] = []
    for one in contestants():
        kib = bytes_a_socket(world, one) / 1024
        is_ours = one is DAPHNE
        must = "<= 40 KiB" if is_ours else "told"
        figures.append(
            Figure(f"memory per idle, greeted socket: {one.name}", must, f"{kib:.1f} KiB", not is_ours or kib <= 40)
        )
    return figures


def measure_latency_figures(found: Measurements) -> list[Figure]:
    """from commit to client"""
    world = World(found.world.address, found.world.redis_url, found.world.sockets)
    with everything_on(found.cores):  # five processes of a small site, placed by the system as on any machine
        return latency_figures(measure_latency(world, rate=RATE, seconds=5 * found.seconds), world, RATE)


def measure_overload(found: Measurements) -> Figure:
    """ten times too much"""
    sustainable = found.a_second(DAPHNE)
    return overload_figure(overload(found.world, a_second=10 * sustainable, seconds=OVERLOAD_SECONDS), sustainable)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000, help="each with a stream of its own (default 1000)")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="in which each contestant has its turn (default 5)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    options = parser.parse_args()
    redis_binary = shutil.which("redis-server")
    if redis_binary is None:
        parser.error("redis-server is needed: on Debian and Ubuntu, apt install redis-server")
    cores = os.sched_getaffinity(0)
    server_core = min(cores) if have_two_cores() else None
    with everything_on(cores - {server_core} if server_core is not None else cores), own_services():
        from diagsite.tests.services import RedisServer
        from diagsite.tests.site import new_database

        redis = RedisServer(redis_binary)
        redis.start()
        try:
            world = World(new_database(), redis.url, options.sockets, server_core)
            found = Measurements(world, options.seconds, options.rounds, cores)
            parts = {
                "throughput": named("deliveries/s", lambda: throughput_figures(found)),
                "latency": named("from commit to client", lambda: measure_latency_figures(found)),
                "memory": named("memory of an idle socket", lambda: memory_figures(found, options.sockets)),
                "overload": named("ten times too much", lambda: measure_overload(found)),
            }
            return report("push", [parts[name] for name in options.only.split(",")])
        finally:
            redis.stop()


if __name__ == "__main__":
    sys.exit(main())
