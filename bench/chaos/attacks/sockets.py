"""200 hostile sockets of each kind: what they cost the server, and other clients."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from bench.chaos.attacks.peers import KINDS, HostilePeers
from bench.chaos.cluster import running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.harness import BenchmarkResult, get_quantile
from testing.services import LOCAL_HTTPX_OPTIONS, execute_sql, fetch_rows
from testing.site import Site

ATTACKERS_PER_ACCOUNT = 20
BIG_LOG_EVENTS = 500  # of 16 KB each: what a hostile peer lets the server send
WARM_SOCKETS = 20
MAX_GROWTH_MB = 20
MAX_SLOWDOWN = 2.0
NOTICEABLE_SECONDS = 0.05  # below it a slowdown is the machine's
CLIENT_INTERVAL_SECONDS = 0.02
SAMPLE_INTERVAL_SECONDS = 0.1
MB = 1_000_000


@dataclass
class Observation:
    """Peak memory of the server, and how long the requests of another client took."""

    peak_bytes: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """The 99th percentile of the latencies in seconds."""
        return get_quantile(self.latencies, 0.99)


def run_hostile_sockets(context: ScenarioContext) -> list[BenchmarkResult]:
    """Attack with `size.attackers` sockets of each kind for `size.attack_seconds`."""
    # Attackers have many addresses: the limit per address is none for them.
    variables = {"SOCKETS_PER_ACCOUNT": str(ATTACKERS_PER_ACCOUNT), "SOCKETS_PER_ADDRESS": "0"}
    results = []
    for kind in KINDS:
        # A server of its own for each kind: memory that one has taken is not given back.
        with running_cluster(workers=[], variables=variables) as cluster:
            results.append(_attack(context, kind, cluster.site, cluster.server.process.pid))
    return results


def _attack(context: ScenarioContext, kind: str, site: Site, server_pid: int) -> BenchmarkResult:
    count, seconds = context.size.attackers, context.size.attack_seconds
    targets = create_hostile_streams(site, count)
    with HostilePeers(site.port, "reads nothing", targets[:WARM_SOCKETS], context.rng.randrange(2**32)):
        _observe(site, server_pid, min(3.0, seconds))  # pools and caches grow to their size once
    with site.client("account-other") as client:
        alone = _observe(site, server_pid, seconds, client)
        before = psutil.Process(server_pid).memory_info().rss
        with HostilePeers(site.port, kind, targets, context.rng.randrange(2**32)):
            attacked = _observe(site, server_pid, seconds, client)
    growth = (attacked.peak_bytes - before) / MB
    is_quick = attacked.p99 <= max(MAX_SLOWDOWN * alone.p99, NOTICEABLE_SECONDS)
    return BenchmarkResult(
        f"{count} sockets, each of which {kind}: server growth; other clients' p99",
        f"<= {MAX_GROWTH_MB} MB; <= {MAX_SLOWDOWN:g}x alone, or <= {NOTICEABLE_SECONDS * 1000:g} ms",
        f"{growth:.1f} MB; {attacked.p99 * 1000:.0f} ms against {alone.p99 * 1000:.0f} ms alone "
        f"({len(attacked.latencies)} requests)",
        growth <= MAX_GROWTH_MB and is_quick and site.server.is_running,
    )


def create_hostile_streams(site: Site, count: int) -> list[tuple[str, str]]:
    """Return the path and the hello of each attacker, whose stream has a long log."""
    targets: list[tuple[str, str]] = []
    streams: list[object] = []
    for account in range(-(-count // ATTACKERS_PER_ACCOUNT)):
        token = site.token(f"attacker-{account}")
        rows = fetch_rows(
            site.address,
            "INSERT INTO progress_stream (id, owner_id, epoch, last_seq, is_closed, request_id, created_at)"
            " SELECT gen_random_uuid(), diagsite_user.id, 'attack', %s, false, '', now()"
            " FROM diagsite_user, generate_series(1, %s) WHERE device_id = %s RETURNING id",
            BIG_LOG_EVENTS,
            min(ATTACKERS_PER_ACCOUNT, count - len(targets)),
            f"attacker-{account}",
        )
        hello = json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None})
        streams += [stream for (stream,) in rows]
        targets += [(f"/ws/diagnosis/{stream}/", hello) for (stream,) in rows]
    execute_sql(
        site.address,
        "INSERT INTO progress_event (stream_id, seq, kind, data, created_at)"
        " SELECT stream.id, n, 'progress', jsonb_build_object('text', repeat('x', 16000)), now()"
        " FROM progress_stream AS stream, generate_series(1, %s) AS n WHERE stream.id = ANY(%s)",
        BIG_LOG_EVENTS,
        streams,
    )
    return targets


def _observe(site: Site, server_pid: int, seconds: float, client: httpx.Client | None = None) -> Observation:
    observation = Observation()
    with _sampling(lambda: psutil.Process(server_pid).memory_info().rss, observation):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if client:
                began = time.perf_counter()
                client.get("/api/diagnoses").raise_for_status()
                observation.latencies.append(time.perf_counter() - began)
            else:
                httpx.get(f"{site.url}/readyz", **LOCAL_HTTPX_OPTIONS)
            time.sleep(CLIENT_INTERVAL_SECONDS)
    return observation


@contextmanager
def _sampling(get_bytes: Callable[[], int], observation: Observation) -> Iterator[None]:
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.wait(SAMPLE_INTERVAL_SECONDS):
            observation.peak_bytes = max(observation.peak_bytes, get_bytes())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
