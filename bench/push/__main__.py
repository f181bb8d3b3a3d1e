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

from bench.environment import running_services
from bench.harness import BenchmarkResult, run_measurements, with_label
from bench.push.latency import build_latency_results, measure_latency
from bench.push.memory import measure_bytes_per_socket
from bench.push.overload import build_overload_result, measure_overload
from bench.push.servers import (
    BARE_WEBSOCKETS,
    DAPHNE,
    NODE_WS,
    ON_UVICORN,
    ON_UVLOOP,
    PEERS_DIRECTORY,
    PLAIN_CHANNELS,
    SOCKET_IO,
    ServerSpec,
    has_two_cores,
    pinned_to_cores,
)
from bench.push.throughput import PushEnvironment, Throughput, measure_throughput

EVENTS_PER_SECOND = 500
MAX_DELIVERIES_PER_SECOND = 90_000
OVERLOAD_SECONDS = 2.0
PARTS = ("throughput", "latency", "memory", "overload")


class Measurements:
    """What the figures are made of; each is taken once, when the first figure asks for it."""

    def __init__(self, world: PushEnvironment, seconds: float, rounds: int, cores: set[int]) -> None:
        self.world, self.seconds, self.rounds, self.cores = world, seconds, rounds, cores

    @cache  # noqa: B019 - one a run
    def measure_throughputs(self) -> dict[str, list[Throughput]]:
        """By name, one a round."""
        found: dict[str, list[Throughput]] = {one.name: [] for one in list_servers()}
        for _ in range(self.rounds):
            for one in list_servers():
                found[one.name].append(measure_throughput(self.world, one, self.seconds, MAX_DELIVERIES_PER_SECOND))
        return found

    def get_median_per_cpu_second(self, contestant: ServerSpec) -> float:
        """The median of its deliveries a second of its processor's time: what a busy core sustains."""
        return statistics.median(one.deliveries_per_cpu_second for one in self.measure_throughputs()[contestant.name])


def list_servers() -> list[ServerSpec]:
    """In the order of a round."""
    missing = [SOCKET_IO] if not (PEERS_DIRECTORY.parent / "node_modules" / "socket.io").exists() else []
    every = [DAPHNE, BARE_WEBSOCKETS, ON_UVICORN, PLAIN_CHANNELS, NODE_WS, SOCKET_IO, ON_UVLOOP]
    return [one for one in every if one not in missing]


def check_throughput(found: Measurements) -> list[BenchmarkResult]:
    """deliveries of one server process, beside others"""
    bare, plain = found.get_median_per_cpu_second(BARE_WEBSOCKETS), found.get_median_per_cpu_second(PLAIN_CHANNELS)
    ratios = [(DAPHNE, BARE_WEBSOCKETS, 0.25), (ON_UVICORN, BARE_WEBSOCKETS, 0.6), (DAPHNE, PLAIN_CHANNELS, 2.5)]
    baselines = {BARE_WEBSOCKETS.name: bare, PLAIN_CHANNELS.name: plain}
    figures = []
    for ours, other, least in ratios:
        ratio = found.get_median_per_cpu_second(ours) / baselines[other.name]
        measured = f"{ratio:.2f}x ({found.get_median_per_cpu_second(ours):,.0f} against {baselines[other.name]:,.0f})"
        figures.append(
            BenchmarkResult(
                f"deliveries/s: {ours.name}, against {other.name}", f">= {least}x", measured, ratio >= least
            )
        )
    for one in list_servers():
        figures.append(_build_throughput_result(one, found.measure_throughputs()[one.name]))
    max_client_cpu = max(one.client_cpu for rounds in found.measure_throughputs().values() for one in rounds)
    figures.append(
        BenchmarkResult(
            "share of a core that the load client was busy, at most",
            "< 0.8",
            f"{max_client_cpu:.2f}",
            max_client_cpu < 0.8,
        )
    )
    lost = sum(one.lost for rounds in found.measure_throughputs().values() for one in rounds)
    figures.append(BenchmarkResult("events lost by any of them", "0", str(lost), lost == 0))
    return figures


def _build_throughput_result(contestant: ServerSpec, rounds: list[Throughput]) -> BenchmarkResult:
    def median(of: Callable[[Throughput], float]) -> float:
        return statistics.median(of(one) for one in rounds)

    return BenchmarkResult(
        f"deliveries/s: {contestant.name}",
        "told",
        f"{median(lambda one: one.deliveries_per_cpu_second):,.0f} in a second of its core; seen: "
        f"{median(lambda one: one.deliveries):,.0f}/s in {median(lambda one: one.frames):,.0f} frames "
        f"at {median(lambda one: one.server_cpu):.0%} of it",
        True,
    )


def check_memory(found: Measurements, sockets: int) -> list[BenchmarkResult]:
    """memory of an idle socket"""
    world = PushEnvironment(found.world.address, found.world.redis_url, sockets)
    figures: list[BenchmarkResult] = []
    for one in list_servers():
        kib = measure_bytes_per_socket(world, one) / 1024
        is_ours = one is DAPHNE
        must = "<= 40 KiB" if is_ours else "told"
        figures.append(
            BenchmarkResult(
                f"memory per idle, greeted socket: {one.name}", must, f"{kib:.1f} KiB", not is_ours or kib <= 40
            )
        )
    return figures


def check_latency(found: Measurements) -> list[BenchmarkResult]:
    """from commit to client"""
    world = PushEnvironment(found.world.address, found.world.redis_url, found.world.sockets)
    with pinned_to_cores(found.cores):  # five processes of a small site, placed by the system as on any machine
        return build_latency_results(
            measure_latency(world, rate=EVENTS_PER_SECOND, seconds=5 * found.seconds), world, EVENTS_PER_SECOND
        )


def check_overload(found: Measurements) -> BenchmarkResult:
    """ten times too much"""
    sustainable = found.get_median_per_cpu_second(DAPHNE)
    return build_overload_result(
        measure_overload(found.world, events_per_second=10 * sustainable, seconds=OVERLOAD_SECONDS), sustainable
    )


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
    server_core = min(cores) if has_two_cores() else None
    with pinned_to_cores(cores - {server_core} if server_core is not None else cores), running_services():
        from testing.services import RedisServer
        from testing.site import create_database

        redis = RedisServer(redis_binary)
        redis.start()
        try:
            world = PushEnvironment(create_database(), redis.url, options.sockets, server_core)
            found = Measurements(world, options.seconds, options.rounds, cores)
            parts = {
                "throughput": with_label("deliveries/s", lambda: check_throughput(found)),
                "latency": with_label("from commit to client", lambda: check_latency(found)),
                "memory": with_label("memory of an idle socket", lambda: check_memory(found, options.sockets)),
                "overload": with_label("ten times too much", lambda: check_overload(found)),
            }
            return run_measurements("push", [parts[name] for name in options.only.split(",")])
        finally:
            redis.stop()


if __name__ == "__main__":
    sys.exit(main())
