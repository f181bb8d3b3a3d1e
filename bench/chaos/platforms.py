"""Platforms that are slow, half-open, reset, break off or drip, and a DNS that answers late, wrongly or not at all."""

import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.chaos.cluster import ChaosEnvironment, Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.faults import Scenario
from bench.chaos.processes import ExternalProcess
from bench.chaos.workload import (
    SLOW_STALL_SETTINGS,
    Workload,
    WorkloadSize,
    add_fake_platforms,
    build_normal_behaviours,
)
from bench.harness import BenchmarkResult
from testing.fake_platform import (
    Behaviour,
    Exchange,
    FakePlatform,
    hold_response,
    reset_connection,
    respond_slowly,
    respond_with_answer,
    respond_with_truncated_body,
)
from testing.site import Site, SiteProcess

TIMEOUT_SETTINGS = {"CALL_TIMEOUT_SECONDS": "3", **SLOW_STALL_SETTINGS}
FAILURE_SHARE = 0.35  # of the calls that go wrong; three attempts make most of them good
FAILURE_MODES: dict[str, Callable[[], Behaviour]] = {
    "slow": lambda: respond_with_answer(delay_seconds=20),
    "half-open": hold_response,
    "reset": reset_connection,
    "cut": respond_with_truncated_body,
    "drip": lambda: respond_slowly(interval_seconds=0.2),
}
PLATFORM_HOST = "platform.torture.test"
DNS_ADDRESS = "127.0.0.153"


def fail_sometimes(failure: Behaviour, rng: random.Random, failure_counts: Counter[str], name: str) -> Behaviour:
    """Bad for a share of the calls, good for the others."""

    async def behave(exchange: Exchange) -> None:
        is_bad = rng.random() < FAILURE_SHARE
        failure_counts[name] += is_bad
        await (failure if is_bad else respond_with_answer(delay_seconds=rng.uniform(0.05, 0.3)))(exchange)

    return behave


def run_failing_platforms(
    scenario: Scenario, _: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> BenchmarkResult:
    """Five platforms, each bad in its own way every third time."""
    started, failure_counts = time.monotonic(), Counter[str]()
    with FakePlatform() as fake, running_cluster(variables=TIMEOUT_SETTINGS) as cluster:
        workload = _build_workload(cluster, fake, rng, size, tuple(FAILURE_MODES))
        add_fake_platforms(
            cluster.site,
            fake,
            {name: fail_sometimes(make(), rng, failure_counts, name) for name, make in FAILURE_MODES.items()},
            8,
        )
        with workload.injecting():
            workload.start()
        result = workload.close(scenario.title, time.monotonic() - started)
    counts_text = ", ".join(f"{name} {count}x" for name, count in sorted(failure_counts.items()))
    is_held = result.is_held and all(failure_counts[name] for name in FAILURE_MODES)
    return BenchmarkResult(result.figure, result.must_be, f"{result.measured}; {counts_text}", is_held)


def _build_workload(
    cluster: Cluster, fake: FakePlatform, rng: random.Random, size: WorkloadSize, platforms: tuple[str, ...]
) -> Workload:
    return Workload(
        cluster.site,
        fake,
        rng,
        WorkloadSize(size.diagnoses, size.clients, questions=3, times=size.times),
        allowed_statuses=frozenset({"completed", "partial", "failed"}),
        platforms=platforms,
        checks_repeated_calls=False,
    )


class FaultyDnsServer:
    """A name server that knows one address, and tells it at once, late, not at all, or says something else."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.reply_counts = rng, Counter[str]()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((DNS_ADDRESS, 53))
        except OSError as error:
            raise ScenarioUnavailable(f"port 53 of {DNS_ADDRESS} cannot be had: {error}") from error
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                query, whence = self._socket.recvfrom(2048)
            except OSError:
                return
            kind = self.rng.choices(
                ["at once", "late", "silent", "refused", "unknown", "nonsense"], [8, 3, 1, 1, 1, 1]
            )[0]
            self.reply_counts[kind] += 1
            data = build_dns_reply(query, kind)
            if data:
                wait = self.rng.uniform(0.5, 2.5) if kind == "late" else 0.0
                threading.Timer(wait, self._send, [data, whence]).start()

    def _send(self, data: bytes, whence: tuple[str, int]) -> None:
        try:
            self._socket.sendto(data, whence)
        except OSError:
            return

    def close(self) -> None:
        """Stop answering."""
        self._socket.close()


def build_dns_reply(query: bytes, kind: str) -> bytes:
    """The bytes of an answer to a question for one name; nothing for silence."""
    if kind == "silent":
        return b""
    if kind == "nonsense":
        return query[:2] + b"\xff" * 20
    end = query.index(b"\0", 12) + 5
    question, is_a = query[12:end], query[end - 4 : end - 2] == b"\0\1"
    code = {"refused": 2, "unknown": 3}.get(kind, 0)
    has_answer = is_a and not code
    head = query[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + (b"\0\1" if has_answer else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if has_answer else b""
    return head + question + record


@contextmanager
def running_faulty_dns(rng: random.Random) -> Iterator[FaultyDnsServer]:
    """It, closed at the end."""
    server = FaultyDnsServer(rng)
    try:
        yield server
    finally:
        server.close()


def run_faulty_dns(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> BenchmarkResult:
    """A worker that sees another /etc/resolv.conf than the machine, with a platform by name and one by address."""
    started = time.monotonic()
    prefix = _build_resolver_prefix(environment.directory)
    with running_faulty_dns(rng) as dns, FakePlatform() as fake:

        def worker(site: Site) -> SiteProcess:
            return ExternalProcess(prefix, ["procrastinate", "worker"], site.address, **site.environment)

        with running_cluster(
            workers=[worker], variables={"OUTGOING_HOSTS": f"127.0.0.1,{PLATFORM_HOST}"} | TIMEOUT_SETTINGS
        ) as cluster:
            add_fake_platforms(cluster.site, fake, {"fast": build_normal_behaviours(rng)["fast"]})
            fake.set_behaviour(build_normal_behaviours(rng)["fast"], model="named")
            cluster.site.add_platform("named", fake.base_url.replace("127.0.0.1", PLATFORM_HOST), concurrency=8)
            workload = _build_workload(cluster, fake, rng, size, ("fast", "named"))
            with workload.injecting():
                workload.start()
            result = workload.close(scenario.title, time.monotonic() - started)
            failed = "SELECT count(*) FROM diagnosis_answer WHERE platform_id = 'fast' AND state <> 'valid'"
            ((failed_answers,),) = cluster.site.query(failed)
    counts_text = ", ".join(f"{name} {count}x" for name, count in sorted(dns.reply_counts.items()))
    is_held = result.is_held and len(dns.reply_counts) > 3 and failed_answers == 0
    measured = f"{result.measured}; DNS {counts_text}; {failed_answers} answers of the other platform failed"
    return BenchmarkResult(result.figure, f"{result.must_be}; the other platform unharmed", measured, is_held)


def _build_resolver_prefix(directory: Path) -> list[str]:
    """What starts a program in a mount namespace of its own, where names are asked of `FaultyDnsServer`."""
    if shutil.which("unshare") is None:
        raise ScenarioUnavailable("unshare is not installed")
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {DNS_ADDRESS}\noptions timeout:2 attempts:2\n")
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "sh"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if tried.returncode:
        raise ScenarioUnavailable(f"no mount namespace: {tried.stderr.strip()}")
    return prefix
