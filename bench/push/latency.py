"""Latency from just before the commit of an event to its arrival: one web, one writer process, a stream per socket."""

import subprocess
import sys
from dataclasses import dataclass

from bench.harness import BenchmarkResult
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED_COUNTER, LoadClient, Tally
from bench.push.servers import DAPHNE, running_bench_server
from bench.push.throughput import DEVICE, PushEnvironment
from testing.site import PROJECT_ROOT, sign_in_device

LATENCY_WARM_UP_SECONDS = 2.0


@dataclass(frozen=True)
class LatencyMeasurement:
    """What the client received of the events written, and the rate of writing."""

    tally: Tally
    written: int
    rate: float


def measure_latency(
    environment: PushEnvironment, *, rate: float, seconds: float, warm_up_seconds: float = LATENCY_WARM_UP_SECONDS
) -> LatencyMeasurement:
    """Write at a rate for so long after a warm-up at the same rate, and wait until all events have arrived."""
    command = [sys.executable, "-m", "bench.push.writer", str(rate), str(warm_up_seconds + seconds)]
    with running_bench_server(DAPHNE, environment.variables, core=environment.server_core) as server:
        feed = LogFeed(
            environment.address,
            environment.redis_url,
            sign_in_device(server.port, DEVICE),
            sockets=environment.sockets,
            events=0,
        )
        with LoadClient(server.port, feed.targets) as client:
            pipe = subprocess.PIPE
            with subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=environment.variables, stdin=pipe, stdout=pipe, text=True
            ) as writer:
                assert writer.stdin and writer.stdout
                writer.stdin.write("\n".join(map(str, feed.streams)))
                writer.stdin.close()
                client.wait_for(ARRIVED_COUNTER, int(rate * warm_up_seconds))
                client.reset()
                written, took = writer.stdout.read().split()
            client.wait_for(ARRIVED_COUNTER, int(written), 30)
            tally = client.get_tally()
        feed.close()
    return LatencyMeasurement(tally, int(written), int(written) / float(took))


def build_latency_results(
    found: LatencyMeasurement, environment: PushEnvironment, rate: float
) -> list[BenchmarkResult]:
    """Compare with the targets."""
    tally = found.tally
    load_text = f"{found.written:,} events at {found.rate:.0f}/s"
    return [
        BenchmarkResult(
            f"event committed -> at the client, {environment.sockets:,} sockets with a stream each, {rate:g} events/s, "
            "one process each for web and worker, daphne",
            "p50 <= 10 ms, p99 <= 100 ms, none over 1 s",
            f"p50 {tally.p50_us / 1000:.1f} ms, p99 {tally.p99_us / 1000:.1f} ms, most {tally.most_us / 1000:.0f} ms, "
            f"{tally.late} over 1 s ({load_text})",
            tally.p50_us <= 10_000 and tally.p99_us <= 100_000 and not tally.late and found.rate >= 0.95 * rate,
        ),
        BenchmarkResult(
            "the same: events lost, repeated, sockets dropped",
            "0",
            f"{tally.missed}, {tally.repeated}, {tally.closed}",
            not (tally.missed or tally.repeated or tally.closed),
        ),
    ]
