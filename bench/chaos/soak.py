"""Load for minutes: 1,000 idle sockets, 200 diagnoses on the demo platform, slow readers, a burst of starts."""

import asyncio
import contextlib
import json
import random
import shutil
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from bench.chaos.cluster import ChaosEnvironment, Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.faults import Scenario
from bench.chaos.processes import SupervisedProcess
from bench.chaos.workload import WorkloadSize
from bench.harness import BenchmarkResult
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED_COUNTER, LoadClient, find_compiler
from testing.invariants import build_diagnosis_body, count_unfinished_diagnoses
from testing.raw_websocket import build_masked_frame, build_upgrade_request
from testing.services import execute_sql, wait_until

IDLE_SOCKETS = 1000
ACTIVE_DIAGNOSES = 200
MAX_UNFINISHED = 300
BURST_SIZE = 500
BURST_CONCURRENCY = 50
SERVING_THREADS = 32  # as many orders may pass the bound together
WARM_STARTS = 50
SLOW_READERS = 5
FLOOD_EVENTS = 4000
MIN_BUFFERED_BYTES = 16 * 1024  # or it was not for being slow that a reader was cut
SAMPLE_INTERVAL_SECONDS = 5.0
PUBLISH_INTERVAL_SECONDS = 10.0
MAX_GROWTH_MIB_PER_MINUTE = 1.0  # a minute
WARM_UP_SHARE = 1 / 3
MAX_EXTRA_DESCRIPTORS = 20
MIB = 2**20


@dataclass(frozen=True)
class ProcessSample:
    """One look at the processes; seconds since the start."""

    at: float
    bytes: dict[str, int]
    descriptors: dict[str, int]
    unfinished: int


@dataclass(frozen=True)
class SlowReader:
    """What one was sent before it was cut, in bytes."""

    bytes: int
    is_disconnected: bool

    @property
    def is_as_expected(self) -> bool:
        """It was sent something, not all, and then it was let go."""
        return self.is_disconnected and self.bytes >= MIN_BUFFERED_BYTES


@dataclass
class SoakReport:
    """What was seen."""

    samples: list[ProcessSample] = field(default_factory=list)
    burst: Counter[str] = field(default_factory=Counter)
    unfinished_after_burst: int = 0
    slow_readers: list[SlowReader] = field(default_factory=list)
    lost_sockets: int = 0
    missed: int = 0
    repeated: int = 0
    arrived: int = 0
    published: int = 0
    ended: int = 0
    not_completed: int = 0
    descriptors: dict[str, tuple[int, int]] = field(default_factory=dict)
    restarts: int = 0


def run_soak(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> list[BenchmarkResult]:
    """The whole of it."""
    if find_compiler() is None or shutil.which("redis-server") is None:
        raise ScenarioUnavailable("a C compiler and redis-server are needed")
    options = {
        "DIAGNOSES_AT_ONCE": str(ACTIVE_DIAGNOSES + 50),
        "DEMO_LATENCY": "5",  # 15 to 40 s a call
        "CALL_TIMEOUT_SECONDS": "120",
        "DEMO": "1",
        "MAX_UNFINISHED_DIAGNOSES": str(MAX_UNFINISHED),
        "MAX_UNFINISHED_PER_OWNER": "0",
        "JOB_STALLED_SECONDS": "30",
        "JOB_HEARTBEAT_SECONDS": "2",
        "JOB_SWEEP_SECONDS": "5",
        "SAMPLES_FLUSH_SECONDS": "15",
    }
    with running_cluster(with_redis=True, variables=options) as cluster:
        execute_sql(
            cluster.site.address, "UPDATE diagnosis_platform SET concurrency = 1000, requests_per_minute = 1000000"
        )
        return _build_results(_run_load(cluster, size.seconds), size.seconds)


def _run_load(cluster: Cluster, seconds: float) -> SoakReport:
    report = SoakReport()
    pids = {name: one.process.pid for name, one in _processes(cluster).items()}
    with cluster.site.client() as client:
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    _warm_up(cluster, token)
    before = {name: psutil.Process(pid).num_fds() for name, pid in pids.items()}
    assert cluster.redis
    event_feed = LogFeed(
        cluster.site.address,
        cluster.redis.url,
        token,
        sockets=IDLE_SOCKETS,
        events=int(seconds / PUBLISH_INTERVAL_SECONDS) + 5,
    )
    flood = LogFeed(cluster.site.address, cluster.redis.url, token, sockets=SLOW_READERS, events=FLOOD_EVENTS)
    with ExitStack() as stack:
        stack.callback(event_feed.close)
        stack.callback(flood.close)
        load = stack.enter_context(LoadClient(cluster.site.port, event_feed.targets, seconds=240))
        with _keeping_diagnoses_active(cluster, token):
            _sample_until(report, cluster, seconds, event_feed, flood)
            report.burst = asyncio.run(_start_diagnoses(cluster, token, BURST_SIZE, "demo-slow"))
            report.unfinished_after_burst = count_unfinished_diagnoses(cluster.site)
        wait_until(lambda: load.read_counter(ARRIVED_COUNTER) >= report.published, "every event to arrive", 120)
        tally = load.get_tally()
        report.missed, report.repeated, report.lost_sockets = tally.missed, tally.repeated, tally.closed
        report.arrived = tally.arrived
    wait_until(lambda: count_unfinished_diagnoses(cluster.site) == 0, "all to end", 600)
    _record_final_state(report, cluster, before, pids)
    return report


def _processes(cluster: Cluster) -> dict[str, SupervisedProcess]:
    return {"server": cluster.server, "worker": cluster.workers[0]}


def _warm_up(cluster: Cluster, token: str) -> None:
    """Pools of connections and threads grow to their size once; what comes on top of that later is a leak."""
    asyncio.run(_start_diagnoses(cluster, token, WARM_STARTS, "demo-fast", questions=2))
    wait_until(lambda: count_unfinished_diagnoses(cluster.site) == 0, "the first ones to end", 300)


def _record_final_state(report: SoakReport, cluster: Cluster, before: dict[str, int], pids: dict[str, int]) -> None:
    rows = cluster.site.query("SELECT status, count(*) FROM diagnosis_diagnosis GROUP BY status")
    report.ended = sum(count for _, count in rows)
    report.not_completed = sum(count for status, count in rows if status != "completed")
    for name, pid in pids.items():
        process = psutil.Process(pid)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: process.num_fds() <= before[name] + MAX_EXTRA_DESCRIPTORS, "descriptors", 30)  # noqa: B023
        report.descriptors[name] = (before[name], process.num_fds())
    report.restarts = sum(one.process.pid != pids[name] for name, one in _processes(cluster).items())


@contextmanager
def _keeping_diagnoses_active(cluster: Cluster, token: str) -> Iterator[None]:
    """As many diagnoses unfinished as are wanted, until the block ends."""
    over = threading.Event()

    def feed() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=cluster.site.url, headers=headers, timeout=60, trust_env=False) as client:
            while not over.wait(0.5):
                with contextlib.suppress(httpx.TransportError):
                    for _ in range(min(20, ACTIVE_DIAGNOSES - count_unfinished_diagnoses(cluster.site))):
                        client.post("/api/diagnoses", json=build_diagnosis_body(["demo-slow"], questions=2))

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _sample_until(report: SoakReport, cluster: Cluster, seconds: float, feed: LogFeed, flood: LogFeed) -> None:
    """Sample for so long; in the middle come the slow readers."""
    started = revealed_at = time.monotonic()
    slow: threading.Thread | None = None
    while (elapsed := time.monotonic() - started) < seconds:
        report.samples.append(_sample(cluster, elapsed))
        if time.monotonic() - revealed_at >= PUBLISH_INTERVAL_SECONDS:
            revealed_at = time.monotonic()
            report.published += feed.send(IDLE_SOCKETS)
        if slow is None and elapsed > seconds / 2:
            slow = threading.Thread(target=_read_slowly, args=[report, cluster.site.port, flood])
            slow.start()
        time.sleep(SAMPLE_INTERVAL_SECONDS)
    if slow:
        slow.join()


def _sample(cluster: Cluster, at: float) -> ProcessSample:
    processes = {name: psutil.Process(one.process.pid) for name, one in _processes(cluster).items()}
    return ProcessSample(
        at,
        # All that is resident: of what is its own alone, a process that was copied has more the longer it runs, as it
        # writes to pages that it shared with the one it was copied from.
        {name: process.memory_info().rss for name, process in processes.items()},
        {name: process.num_fds() for name, process in processes.items()},
        count_unfinished_diagnoses(cluster.site),
    )


def _read_slowly(report: SoakReport, port: int, flood: LogFeed) -> None:
    """Sockets that say hello and then read nothing, while far more than they may leave unread is there for them."""
    sockets = [_open_welcomed_socket(port, path, hello) for path, hello in flood.targets]
    flood.publish(flood.streams, FLOOD_EVENTS)
    time.sleep(25)  # a ping after 10 s, 5 s for its pong
    report.slow_readers += [_drain_socket(one) for one in sockets]


def _open_welcomed_socket(port: int, path: str, hello: str) -> socket.socket:
    """It has been welcomed, so it follows."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    raw.sendall(build_upgrade_request(path))
    heard = b""
    while not heard.endswith(b"\r\n\r\n"):
        heard += raw.recv(1)
    raw.sendall(build_masked_frame(hello.encode(), 1))
    while b"welcome" not in heard:
        heard += raw.recv(1 << 10)
    return raw


def _drain_socket(raw: socket.socket) -> SlowReader:
    """Read what is left, and see whether it ends."""
    size = 0
    with raw:
        try:
            while data := raw.recv(1 << 16):
                size += len(data)
        except TimeoutError:
            return SlowReader(size, is_disconnected=False)
        except ConnectionError:
            pass
    return SlowReader(size, is_disconnected=True)


async def _start_diagnoses(
    cluster: Cluster, token: str, count: int, platform: str, *, questions: int = 1
) -> Counter[str]:
    """Many starts at once: what each was told."""
    replies, slots = Counter[str](), asyncio.Semaphore(BURST_CONCURRENCY)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=cluster.site.url, headers=headers, timeout=120, trust_env=False) as client:

        async def start() -> None:
            async with slots:
                answer = await client.post("/api/diagnoses", json=build_diagnosis_body([platform], questions=questions))
            replies[_classify_reply(answer)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(start())
    return replies


def _classify_reply(answer: httpx.Response) -> str:
    if answer.status_code == 503:
        body = json.loads(answer.content)
        is_polite = (
            int(answer.headers.get("Retry-After", 0)) > 0 and body["copy"]["title"] and body["copy"]["suggestion"]
        )
        return "503 polite" if is_polite else "503 bare"
    return str(answer.status_code)


def get_growth_mib_per_minute(samples: list[ProcessSample], name: str) -> float:
    """MiB that a process grows by in a minute, by least squares over all but the warm-up."""
    kept = samples[int(len(samples) * WARM_UP_SHARE) :]
    if len(kept) < 3:
        return 0.0
    line = statistics.linear_regression([one.at / 60 for one in kept], [one.bytes[name] / MIB for one in kept])
    return line.slope


def _build_results(report: SoakReport, seconds: float) -> list[BenchmarkResult]:
    load_text = f"{IDLE_SOCKETS:,} sockets, {ACTIVE_DIAGNOSES} diagnoses, {seconds:.0f} s"
    slopes = {name: get_growth_mib_per_minute(report.samples, name) for name in ("server", "worker")}
    memory = {name: [one.bytes[name] // MIB for one in report.samples] for name in slopes}
    active = [one.unfinished for one in report.samples[int(len(report.samples) * WARM_UP_SHARE) :]]
    bound = MAX_UNFINISHED + SERVING_THREADS
    refused = report.burst["503 polite"]
    buffered_text = ", ".join(str(one.bytes // 1024) for one in report.slow_readers)
    return [
        BenchmarkResult(
            f"memory, {load_text}",
            f"flat: <= {MAX_GROWTH_MIB_PER_MINUTE:g} MiB a minute each",
            "; ".join(
                f"{n} {memory[n][0]} to {memory[n][-1]} MiB, {slope:+.2f} a minute" for n, slope in slopes.items()
            ),
            all(slope <= MAX_GROWTH_MIB_PER_MINUTE for slope in slopes.values()) and not report.restarts,
        ),
        BenchmarkResult(
            "descriptors once warm, and after all have gone",
            f"<= {MAX_EXTRA_DESCRIPTORS} more",
            "; ".join(f"{name} {first} to {last}" for name, (first, last) in report.descriptors.items()),
            all(last <= first + MAX_EXTRA_DESCRIPTORS for first, last in report.descriptors.values()),
        ),
        BenchmarkResult(
            "diagnoses of the load",
            "all completed",
            f"{report.ended} ended, {report.not_completed} not completed; "
            f"{min(active)} to {max(active)} unfinished at once",
            not report.not_completed and report.ended > 0,
        ),
        BenchmarkResult(
            f"a burst of {BURST_SIZE} starts at a bound of {MAX_UNFINISHED}",
            "202, or a 503 with Retry-After and friendly words; the queue bounded",
            f"{dict(report.burst)}; {report.unfinished_after_burst} unfinished after it",
            refused > 0 and set(report.burst) <= {"202", "503 polite"} and report.unfinished_after_burst <= bound,
        ),
        BenchmarkResult(
            f"{SLOW_READERS} sockets that read nothing, beside {IDLE_SOCKETS:,} others",
            "each cut; the others lose no event and no socket",
            f"{sum(one.is_disconnected for one in report.slow_readers)} cut after {buffered_text} KiB sent ahead; "
            f"of {report.published:,} events {report.missed} missed, {report.repeated} repeated, "
            f"{report.lost_sockets} sockets lost",
            len(report.slow_readers) == SLOW_READERS
            and all(one.is_as_expected for one in report.slow_readers)
            and not (report.missed or report.repeated or report.lost_sockets)
            and report.arrived == report.published,
        ),
    ]
