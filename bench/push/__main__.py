"""The push path beside alternatives: `make bench-push`.

    python -m bench.push [--sockets N] [--seconds S] [--rounds N] [--only throughput,latency,memory,overload]

Server and load client run on different cores if there are two. Servers take turns in every round; values are medians.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from bench.environment import running_services_with_redis
from bench.harness import INFO_ONLY, BenchmarkResult, Measure, info_only, run_measurements
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
from testing.site import create_database

EVENTS_PER_SECOND = 500
MAX_DELIVERIES_PER_SECOND = 90_000
OVERLOAD_SECONDS = 2.0
MAX_KIB_PER_SOCKET = 40
PARTS = ("throughput", "latency", "memory", "overload")


class PushBenchmark:
    """The parts of the benchmark; throughput is measured once, when the first part needs it."""

    def __init__(self, environment: PushEnvironment, seconds: float, rounds: int, cores: set[int]) -> None:
        self.environment, self.seconds, self.rounds, self.cores = environment, seconds, rounds, cores

    @cached_property
    def throughputs(self) -> dict[str, list[Throughput]]:
        """By the name of the server, one measurement per round."""
        throughputs: dict[str, list[Throughput]] = {server.name: [] for server in list_servers()}
        for _ in range(self.rounds):
            for server in list_servers():
                throughputs[server.name].append(
                    measure_throughput(self.environment, server, self.seconds, MAX_DELIVERIES_PER_SECOND)
                )
        return throughputs

    def get_median_per_cpu_second(self, server: ServerSpec) -> float:
        """Return the median of the deliveries per second of CPU time, which is what a busy core sustains."""
        return statistics.median(round_.deliveries_per_cpu_second for round_ in self.throughputs[server.name])

    def check_throughput(self) -> list[BenchmarkResult]:
        """Compare the deliveries of one server process."""
        results = []
        for server, other, min_ratio in [
            (DAPHNE, BARE_WEBSOCKETS, 0.25),
            (ON_UVICORN, BARE_WEBSOCKETS, 0.6),
            (DAPHNE, PLAIN_CHANNELS, 2.5),
        ]:
            rate, baseline = self.get_median_per_cpu_second(server), self.get_median_per_cpu_second(other)
            results.append(
                BenchmarkResult(
                    f"deliveries/s: {server.name}, against {other.name}",
                    f">= {min_ratio}x",
                    f"{rate / baseline:.2f}x ({rate:,.0f} against {baseline:,.0f})",
                    rate / baseline >= min_ratio,
                )
            )
        results += [_build_throughput_result(server, self.throughputs[server.name]) for server in list_servers()]
        all_rounds = [round_ for rounds in self.throughputs.values() for round_ in rounds]
        max_client_cpu, lost = (
            max(round_.client_cpu for round_ in all_rounds),
            sum(round_.lost for round_ in all_rounds),
        )
        return [
            *results,
            BenchmarkResult(
                "share of a core that the load client was busy, at most",
                "< 0.8",
                f"{max_client_cpu:.2f}",
                max_client_cpu < 0.8,
            ),
            BenchmarkResult("events lost by any server", "0", str(lost), lost == 0),
        ]

    def check_memory(self) -> list[BenchmarkResult]:
        """Compare the memory of an idle socket, with the server on any core."""
        results = []
        for server in list_servers():
            kib = measure_bytes_per_socket(replace(self.environment, server_core=None), server) / 1024
            results.append(
                BenchmarkResult(
                    f"memory per idle socket after the welcome: {server.name}",
                    f"<= {MAX_KIB_PER_SOCKET} KiB" if server is DAPHNE else INFO_ONLY,
                    f"{kib:.1f} KiB",
                    server is not DAPHNE or kib <= MAX_KIB_PER_SOCKET,
                )
            )
        return results

    def check_latency(self) -> list[BenchmarkResult]:
        """Measure the latency of the site, with five processes that the system places on all cores."""
        environment = replace(self.environment, server_core=None)
        with pinned_to_cores(self.cores):
            measurement = measure_latency(environment, rate=EVENTS_PER_SECOND, seconds=5 * self.seconds)
        return build_latency_results(measurement, environment, EVENTS_PER_SECOND)

    def check_overload(self) -> BenchmarkResult:
        """Publish ten times as many events as the site can deliver."""
        sustainable = self.get_median_per_cpu_second(DAPHNE)
        return build_overload_result(
            measure_overload(self.environment, events_per_second=10 * sustainable, seconds=OVERLOAD_SECONDS),
            sustainable,
        )


def list_servers() -> list[ServerSpec]:
    """Return the servers in the order of a round, without socket.io if its packages are not installed."""
    servers = [DAPHNE, BARE_WEBSOCKETS, ON_UVICORN, PLAIN_CHANNELS, NODE_WS, SOCKET_IO, ON_UVLOOP]
    has_socket_io = (PEERS_DIRECTORY.parent / "node_modules" / "socket.io").exists()
    return [server for server in servers if has_socket_io or server is not SOCKET_IO]


def _build_throughput_result(server: ServerSpec, rounds: list[Throughput]) -> BenchmarkResult:
    def median(get_value: Callable[[Throughput], float]) -> float:
        return statistics.median(map(get_value, rounds))

    return info_only(
        f"deliveries/s: {server.name}",
        f"{median(lambda round_: round_.deliveries_per_cpu_second):,.0f} per second of CPU time; observed: "
        f"{median(lambda round_: round_.deliveries):,.0f}/s in {median(lambda round_: round_.frames):,.0f} frames "
        f"at {median(lambda round_: round_.server_cpu):.0%} of a core",
    )


def main() -> int:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000, help="sockets, each with its own stream (default 1000)")
    parser.add_argument("--seconds", type=float, default=4, help="duration of each measurement (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in which servers take turns (default 5)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    server_core = min(cores) if has_two_cores() else None
    with (
        pinned_to_cores(cores - {server_core} if server_core is not None else cores),
        running_services_with_redis(parser) as redis_url,
    ):
        environment = PushEnvironment(create_database(), redis_url, options.sockets, server_core)
        benchmark = PushBenchmark(environment, options.seconds, options.rounds, cores)
        parts: dict[str, tuple[str, Measure]] = {
            "throughput": ("deliveries/s", benchmark.check_throughput),
            "latency": ("latency from commit to client", benchmark.check_latency),
            "memory": ("memory of an idle socket", benchmark.check_memory),
            "overload": ("overload", benchmark.check_overload),
        }
        return run_measurements("push", [parts[name] for name in options.only.split(",")])


if __name__ == "__main__":
    sys.exit(main())
