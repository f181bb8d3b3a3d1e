"""Load for minutes: 1,000 idle sockets, 200 diagnoses on the demo platform, slow readers, a burst of requests."""

import asyncio
import contextlib
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from bench.chaos.cluster import Cluster, ScenarioUnavailable, running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.chaos.slow_readers import SlowReader, read_nothing
from bench.harness import BenchmarkResult
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED_COUNTER, LoadClient, find_compiler
from testing.invariants import build_diagnosis_body, count_unfinished_diagnoses, wait_until_all_ended
from testing.processes import SupervisedProcess
from testing.services import execute_sql, wait_until

IDLE_SOCKETS = 1000
ACTIVE_DIAGNOSES = 200
MAX_UNFINISHED = 300
BURST_SIZE = 500
BURST_CONCURRENCY = 50
SERVING_THREADS = 32  # so many requests may pass the check of the limit together
WARM_STARTS = 50
SLOW_READERS = 5
FLOOD_EVENTS = 4000
SAMPLE_INTERVAL_SECONDS = 5.0
PUBLISH_INTERVAL_SECONDS = 10.0
MAX_GROWTH_MIB_PER_MINUTE = 1.0
WARM_UP_SHARE = 1 / 3
MAX_EXTRA_DESCRIPTORS = 20
MIB = 2**20


@dataclass(frozen=True)
class ProcessSample:
    """Resident bytes and descriptors of each process, and unfinished diagnoses, so many seconds after the start."""

    at: float
    bytes: dict[str, int]
    descriptors: dict[str, int]
    unfinished: int


@dataclass
class SoakReport:
    """What was observed during the load."""

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


def run_soak(context: ScenarioContext) -> list[BenchmarkResult]:
    """Run the load for `size.seconds`."""
    if find_compiler() is None:
        raise ScenarioUnavailable("a C compiler is needed")
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
        return _build_results(_run_load(cluster, context.size.seconds), context.size.seconds)


def _run_load(cluster: Cluster, seconds: float) -> SoakReport:
    report = SoakReport()
    pids = {name: supervised.process.pid for name, supervised in _processes(cluster).items()}
    with cluster.site.client() as client:
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    # Pools of connections and threads grow to their size once; what is added later is a leak.
    asyncio.run(_start_diagnoses(cluster, token, WARM_STARTS, "demo-fast", questions=2))
    wait_until_all_ended(cluster.site, 300)
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
    wait_until_all_ended(cluster.site, 600)
    _record_final_state(report, cluster, before, pids)
    return report


def _processes(cluster: Cluster) -> dict[str, SupervisedProcess]:
    return {"server": cluster.server, "worker": cluster.workers[0]}


def _record_final_state(report: SoakReport, cluster: Cluster, before: dict[str, int], pids: dict[str, int]) -> None:
    rows = cluster.site.query("SELECT status, count(*) FROM diagnosis_diagnosis GROUP BY status")
    report.ended = sum(count for _, count in rows)
    report.not_completed = sum(count for status, count in rows if status != "completed")
    for name, pid in pids.items():
        process = psutil.Process(pid)
        with contextlib.suppress(TimeoutError):
            limit = before[name] + MAX_EXTRA_DESCRIPTORS
            wait_until(lambda: process.num_fds() <= limit, "descriptors to be closed", 30)  # noqa: B023
        report.descriptors[name] = (before[name], process.num_fds())
    report.restarts = sum(supervised.process.pid != pids[name] for name, supervised in _processes(cluster).items())


@contextmanager
def _keeping_diagnoses_active(cluster: Cluster, token: str) -> Iterator[None]:
    """Keep ACTIVE_DIAGNOSES unfinished until the block ends."""
    stopped = threading.Event()

    def feed() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=cluster.site.url, headers=headers, timeout=60, trust_env=False) as client:
            while not stopped.wait(0.5):
                with contextlib.suppress(httpx.TransportError):
                    for _ in range(min(20, ACTIVE_DIAGNOSES - count_unfinished_diagnoses(cluster.site))):
                        client.post("/api/diagnoses", json=build_diagnosis_body(["demo-slow"], questions=2))

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _sample_until(report: SoakReport, cluster: Cluster, seconds: float, feed: LogFeed, flood: LogFeed) -> None:
    """Sample for so long; the slow readers connect in the middle."""
    started = revealed_at = time.monotonic()
    slow: threading.Thread | None = None
    while (elapsed := time.monotonic() - started) < seconds:
        report.samples.append(_sample(cluster, elapsed))
        if time.monotonic() - revealed_at >= PUBLISH_INTERVAL_SECONDS:
            revealed_at = time.monotonic()
            report.published += feed.send(IDLE_SOCKETS)
        if slow is None and elapsed > seconds / 2:
            slow = threading.Thread(target=lambda: report.slow_readers.extend(read_nothing(cluster.site.port, flood)))
            slow.start()
        time.sleep(SAMPLE_INTERVAL_SECONDS)
    if slow:
        slow.join()


def _sample(cluster: Cluster, at: float) -> ProcessSample:
    processes = {name: psutil.Process(supervised.process.pid) for name, supervised in _processes(cluster).items()}
    return ProcessSample(
        at,
        # Not the unique set size: a forked process copies shared pages the longer it runs.
        {name: process.memory_info().rss for name, process in processes.items()},
        {name: process.num_fds() for name, process in processes.items()},
        count_unfinished_diagnoses(cluster.site),
    )


async def _start_diagnoses(
    cluster: Cluster, token: str, count: int, platform: str, *, questions: int = 1
) -> Counter[str]:
    """Start many diagnoses concurrently; return the replies by kind."""
    replies, slots = Counter[str](), asyncio.Semaphore(BURST_CONCURRENCY)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=cluster.site.url, headers=headers, timeout=120, trust_env=False) as client:

        async def start() -> None:
            async with slots:
                body = build_diagnosis_body([platform], questions=questions)
                response = await client.post("/api/diagnoses", json=body)
            replies[_classify_reply(response)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(start())
    return replies


def _classify_reply(response: httpx.Response) -> str:
    if response.status_code == 503:
        texts = json.loads(response.content)["copy"]
        is_explained = int(response.headers.get("Retry-After", 0)) > 0 and texts["title"] and texts["suggestion"]
        return "503 explained" if is_explained else "503 bare"
    return str(response.status_code)


def get_growth_mib_per_minute(samples: list[ProcessSample], name: str) -> float:
    """Return the growth of a process by a least-squares fit over the samples after the warm-up."""
    kept = samples[int(len(samples) * WARM_UP_SHARE) :]
    if len(kept) < 3:
        return 0.0
    line = statistics.linear_regression(
        [sample.at / 60 for sample in kept], [sample.bytes[name] / MIB for sample in kept]
    )
    return line.slope


def _build_results(report: SoakReport, seconds: float) -> list[BenchmarkResult]:
    load_text = f"{IDLE_SOCKETS:,} sockets, {ACTIVE_DIAGNOSES} diagnoses, {seconds:.0f} s"
    slopes = {name: get_growth_mib_per_minute(report.samples, name) for name in ("server", "worker")}
    memory = {name: [sample.bytes[name] // MIB for sample in report.samples] for name in slopes}
    active = [sample.unfinished for sample in report.samples[int(len(report.samples) * WARM_UP_SHARE) :]]
    bound = MAX_UNFINISHED + SERVING_THREADS
    refused = report.burst["503 explained"]
    buffered_text = ", ".join(str(reader.bytes // 1024) for reader in report.slow_readers)
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
            "open descriptors after the warm-up, and at the end",
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
            f"a burst of {BURST_SIZE} requests at a limit of {MAX_UNFINISHED}",
            "202, or a 503 with Retry-After and an explanation; the queue bounded",
            f"{dict(report.burst)}; {report.unfinished_after_burst} unfinished after it",
            refused > 0 and set(report.burst) <= {"202", "503 explained"} and report.unfinished_after_burst <= bound,
        ),
        BenchmarkResult(
            f"{SLOW_READERS} sockets that read nothing, beside {IDLE_SOCKETS:,} others",
            "each disconnected; the others lose no event and no socket",
            f"{sum(reader.is_disconnected for reader in report.slow_readers)} disconnected after {buffered_text} KiB; "
            f"of {report.published:,} events {report.missed} missed, {report.repeated} repeated, "
            f"{report.lost_sockets} sockets lost",
            len(report.slow_readers) == SLOW_READERS
            and all(reader.is_as_expected for reader in report.slow_readers)
            and not (report.missed or report.repeated or report.lost_sockets)
            and report.arrived == report.published,
        ),
    ]
