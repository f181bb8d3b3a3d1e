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

from bench.figures import Figure
from bench.push.feeds import LogFeed
from bench.push.load import ARRIVED, Client, compiler
from bench.torture.faults import Attack
from bench.torture.processes import Supervised
from bench.torture.scene import Size
from bench.torture.stage import Ground, NotRun, Stage, stage
from bench.torture.wire import frame_of, upgrade
from diagsite.tests.proof import order_body, unfinished
from diagsite.tests.services import execute, wait_until

SOCKETS = 1000
ACTIVE = 200
MOST_UNFINISHED = 300
BURST = 500
AT_ONCE_IN_BURST = 50
SERVING_THREADS = 32  # as many orders may pass the bound together
WARM_STARTS = 50
SLOW_READERS = 5
FLOOD = 4000
LEAST_SENT_AHEAD = 16 * 1024  # or it was not for being slow that a reader was cut
SAMPLE_SECONDS = 5.0
REVEAL_SECONDS = 10.0
MOST_SLOPE_MIB = 1.0  # a minute
WARM_UP = 1 / 3
SLACK_OF_DESCRIPTORS = 20
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """One look at the processes; seconds since the start."""

    at: float
    bytes: dict[str, int]
    descriptors: dict[str, int]
    unfinished: int


@dataclass(frozen=True)
class SlowReader:
    """What one was sent before it was cut, in bytes."""

    bytes: int
    is_cut: bool

    @property
    def is_as_promised(self) -> bool:
        """It was sent something, not all, and then it was let go."""
        return self.is_cut and self.bytes >= LEAST_SENT_AHEAD


@dataclass
class Soak:
    """What was seen."""

    samples: list[Sample] = field(default_factory=list)
    burst: Counter[str] = field(default_factory=Counter)
    most_after_burst: int = 0
    slow_closes: list[SlowReader] = field(default_factory=list)
    lost_sockets: int = 0
    missed: int = 0
    repeated: int = 0
    arrived: int = 0
    revealed: int = 0
    ended: int = 0
    bad_ends: int = 0
    descriptors: dict[str, tuple[int, int]] = field(default_factory=dict)
    restarts: int = 0


def soak(attack: Attack, where: Ground, rng: random.Random, size: Size) -> list[Figure]:
    """The whole of it."""
    if compiler() is None or shutil.which("redis-server") is None:
        raise NotRun("a C compiler and redis-server are needed")
    options = {
        "DIAGNOSES_AT_ONCE": str(ACTIVE + 50),
        "DEMO_LATENCY": "5",  # 15 to 40 s a call
        "CALL_TIMEOUT_SECONDS": "120",
        "DEMO": "1",
        "MAX_UNFINISHED_DIAGNOSES": str(MOST_UNFINISHED),
        "MAX_UNFINISHED_PER_OWNER": "0",
        "JOB_STALLED_SECONDS": "30",
        "JOB_HEARTBEAT_SECONDS": "2",
        "JOB_SWEEP_SECONDS": "5",
        "SAMPLES_FLUSH_SECONDS": "15",
    }
    with stage(with_redis=True, variables=options) as on:
        execute(on.site.address, "UPDATE diagnosis_platform SET concurrency = 1000, requests_per_minute = 1000000")
        return _figures(_soak(on, size.seconds), size.seconds)


def _soak(on: Stage, seconds: float) -> Soak:
    found = Soak()
    pids = {name: one.process.pid for name, one in _processes(on).items()}
    with on.site.client() as client:
        token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    _warm_up(on, token)
    before = {name: psutil.Process(pid).num_fds() for name, pid in pids.items()}
    assert on.redis
    feed = LogFeed(on.site.address, on.redis.url, token, sockets=SOCKETS, events=int(seconds / REVEAL_SECONDS) + 5)
    flood = LogFeed(on.site.address, on.redis.url, token, sockets=SLOW_READERS, events=FLOOD)
    with ExitStack() as stack:
        stack.callback(feed.close)
        stack.callback(flood.close)
        load = stack.enter_context(Client(on.site.port, feed.targets, seconds=240))
        with _feeding(on, token):
            _look_for(found, on, seconds, feed, flood)
            found.burst = asyncio.run(_start_many(on, token, BURST, "demo-slow"))
            found.most_after_burst = unfinished(on.site)
        wait_until(lambda: load.counter(ARRIVED) >= found.revealed, "every event to arrive", 120)
        tally = load.show()
        found.missed, found.repeated, found.lost_sockets = tally.missed, tally.repeated, tally.closed
        found.arrived = tally.arrived
    wait_until(lambda: unfinished(on.site) == 0, "all to end", 600)
    _settle(found, on, before, pids)
    return found


def _processes(on: Stage) -> dict[str, Supervised]:
    return {"server": on.server, "worker": on.workers[0]}


def _warm_up(on: Stage, token: str) -> None:
    """Pools of connections and threads grow to their size once; what comes on top of that later is a leak."""
    asyncio.run(_start_many(on, token, WARM_STARTS, "demo-fast", questions=2))
    wait_until(lambda: unfinished(on.site) == 0, "the first ones to end", 300)


def _settle(found: Soak, on: Stage, before: dict[str, int], pids: dict[str, int]) -> None:
    rows = on.site.query("SELECT status, count(*) FROM diagnosis_diagnosis GROUP BY status")
    found.ended = sum(count for _, count in rows)
    found.bad_ends = sum(count for status, count in rows if status != "completed")
    for name, pid in pids.items():
        process = psutil.Process(pid)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: process.num_fds() <= before[name] + SLACK_OF_DESCRIPTORS, "descriptors", 30)  # noqa: B023
        found.descriptors[name] = (before[name], process.num_fds())
    found.restarts = sum(one.process.pid != pids[name] for name, one in _processes(on).items())


@contextmanager
def _feeding(on: Stage, token: str) -> Iterator[None]:
    """As many diagnoses unfinished as are wanted, until the block ends."""
    over = threading.Event()

    def feed() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=on.site.url, headers=headers, timeout=60, trust_env=False) as client:
            while not over.wait(0.5):
                with contextlib.suppress(httpx.TransportError):
                    for _ in range(min(20, ACTIVE - unfinished(on.site))):
                        client.post("/api/diagnoses", json=order_body(["demo-slow"], questions=2))

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _look_for(found: Soak, on: Stage, seconds: float, feed: LogFeed, flood: LogFeed) -> None:
    """Sample for so long; in the middle come the slow readers."""
    started = revealed_at = time.monotonic()
    slow: threading.Thread | None = None
    while (elapsed := time.monotonic() - started) < seconds:
        found.samples.append(_sample(on, elapsed))
        if time.monotonic() - revealed_at >= REVEAL_SECONDS:
            revealed_at = time.monotonic()
            found.revealed += feed.send(SOCKETS)
        if slow is None and elapsed > seconds / 2:
            slow = threading.Thread(target=_read_slowly, args=[found, on.site.port, flood])
            slow.start()
        time.sleep(SAMPLE_SECONDS)
    if slow:
        slow.join()


def _sample(on: Stage, at: float) -> Sample:
    processes = {name: psutil.Process(one.process.pid) for name, one in _processes(on).items()}
    return Sample(
        at,
        # All that is resident: of what is its own alone, a process that was copied has more the longer it runs, as it
        # writes to pages that it shared with the one it was copied from.
        {name: process.memory_info().rss for name, process in processes.items()},
        {name: process.num_fds() for name, process in processes.items()},
        unfinished(on.site),
    )


def _read_slowly(found: Soak, port: int, flood: LogFeed) -> None:
    """Sockets that say hello and then read nothing, while far more than they may leave unread is there for them."""
    sockets = [_greeted(port, path, hello) for path, hello in flood.targets]
    flood.reveal(flood.streams, FLOOD)
    time.sleep(25)  # a ping after 10 s, 5 s for its pong
    found.slow_closes += [_drain(one) for one in sockets]


def _greeted(port: int, path: str, hello: str) -> socket.socket:
    """It has been welcomed, so it follows."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    raw.sendall(upgrade(path))
    heard = b""
    while not heard.endswith(b"\r\n\r\n"):
        heard += raw.recv(1)
    raw.sendall(frame_of(hello.encode(), 1))
    while b"welcome" not in heard:
        heard += raw.recv(1 << 10)
    return raw


def _drain(raw: socket.socket) -> SlowReader:
    """Read what is left, and see whether it ends."""
    size = 0
    with raw:
        try:
            while data := raw.recv(1 << 16):
                size += len(data)
        except TimeoutError:
            return SlowReader(size, is_cut=False)
        except ConnectionError:
            pass
    return SlowReader(size, is_cut=True)


async def _start_many(on: Stage, token: str, count: int, platform: str, *, questions: int = 1) -> Counter[str]:
    """Many starts at once: what each was told."""
    told, places = Counter[str](), asyncio.Semaphore(AT_ONCE_IN_BURST)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=on.site.url, headers=headers, timeout=120, trust_env=False) as client:

        async def start() -> None:
            async with places:
                answer = await client.post("/api/diagnoses", json=order_body([platform], questions=questions))
            told[_told(answer)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(start())
    return told


def _told(answer: httpx.Response) -> str:
    if answer.status_code == 503:
        body = json.loads(answer.content)
        is_polite = (
            int(answer.headers.get("Retry-After", 0)) > 0 and body["copy"]["title"] and body["copy"]["suggestion"]
        )
        return "503 polite" if is_polite else "503 bare"
    return str(answer.status_code)


def slope_a_minute(samples: list[Sample], name: str) -> float:
    """MiB that a process grows by in a minute, by least squares over all but the warm-up."""
    kept = samples[int(len(samples) * WARM_UP) :]
    if len(kept) < 3:
        return 0.0
    line = statistics.linear_regression([one.at / 60 for one in kept], [one.bytes[name] / MIB for one in kept])
    return line.slope


def _figures(found: Soak, seconds: float) -> list[Figure]:
    of = f"{SOCKETS:,} sockets, {ACTIVE} diagnoses, {seconds:.0f} s"
    slopes = {name: slope_a_minute(found.samples, name) for name in ("server", "worker")}
    memory = {name: [one.bytes[name] // MIB for one in found.samples] for name in slopes}
    active = [one.unfinished for one in found.samples[int(len(found.samples) * WARM_UP) :]]
    bound = MOST_UNFINISHED + SERVING_THREADS
    refused = found.burst["503 polite"]
    ahead = ", ".join(str(one.bytes // 1024) for one in found.slow_closes)
    return [
        Figure(
            f"memory, {of}",
            f"flat: <= {MOST_SLOPE_MIB:g} MiB a minute each",
            "; ".join(
                f"{n} {memory[n][0]} to {memory[n][-1]} MiB, {slope:+.2f} a minute" for n, slope in slopes.items()
            ),
            all(slope <= MOST_SLOPE_MIB for slope in slopes.values()) and not found.restarts,
        ),
        Figure(
            "descriptors once warm, and after all have gone",
            f"<= {SLACK_OF_DESCRIPTORS} more",
            "; ".join(f"{name} {first} to {last}" for name, (first, last) in found.descriptors.items()),
            all(last <= first + SLACK_OF_DESCRIPTORS for first, last in found.descriptors.values()),
        ),
        Figure(
            "diagnoses of the load",
            "all completed",
            f"{found.ended} ended, {found.bad_ends} not completed; {min(active)} to {max(active)} unfinished at once",
            not found.bad_ends and found.ended > 0,
        ),
        Figure(
            f"a burst of {BURST} starts at a bound of {MOST_UNFINISHED}",
            "202, or a 503 with Retry-After and friendly words; the queue bounded",
            f"{dict(found.burst)}; {found.most_after_burst} unfinished after it",
            refused > 0 and set(found.burst) <= {"202", "503 polite"} and found.most_after_burst <= bound,
        ),
        Figure(
            f"{SLOW_READERS} sockets that read nothing, beside {SOCKETS:,} others",
            "each cut; the others lose no event and no socket",
            f"{sum(one.is_cut for one in found.slow_closes)} cut after {ahead} KiB sent ahead; "
            f"of {found.revealed:,} events {found.missed} missed, {found.repeated} repeated, "
            f"{found.lost_sockets} sockets lost",
            len(found.slow_closes) == SLOW_READERS
            and all(one.is_as_promised for one in found.slow_closes)
            and not (found.missed or found.repeated or found.lost_sockets)
            and found.arrived == found.revealed,
        ),
    ]
