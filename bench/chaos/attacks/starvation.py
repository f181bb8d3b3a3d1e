"""One account with many slow diagnoses and corrections in flight: what another account notices."""

import json
import random
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from websockets.sync.client import connect

from bench.chaos.cluster import SLOW_STALL_SETTINGS, running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.harness import BenchmarkResult, get_quantile
from testing.fakes.platform import Exchange, FakePlatform, respond_with_answer
from testing.invariants import StartedDiagnosis, request_diagnosis, wait_until_all_ended
from testing.site import Site

SLOW_SECONDS, NORMAL_SECONDS = 20.0, 1.0  # of a call: those of the hostile account, and of the other one
PLATFORM_CONCURRENCY = 8
LONG_ANSWER = "最近苹果涨价了，苹果手机好。" * 1400  # 20,000 characters, the most that is stored
CORRECTED_QUESTIONS, CORRECTED_REPEATS = 5, 4
FIRST_ANSWERS, REQUEST_INTERVAL_SECONDS = 4, 0.05
MAX_SLOWDOWN, MAX_P99_SECONDS = 2.0, 0.5
# As in production: these are what is attacked.
LIMITS = {"MAX_RUNNING_PER_OWNER": "5", "PLATFORM_SHARE_PER_OWNER": "0.75", "MAX_CONCURRENT_CHANGES": "2"}


def run_starving_account(context: ScenarioContext) -> BenchmarkResult:
    """Let one account order `size.orders` slow diagnoses and keep `size.corrections` corrections in flight."""
    variables = {**LIMITS, **SLOW_STALL_SETTINGS, "DIAGNOSES_AT_ONCE": "10", "MAX_UNFINISHED_PER_OWNER": "0"}
    with FakePlatform() as fake, running_cluster(variables=variables) as cluster:
        site, size = cluster.site, context.size
        site.add_platform("shared", fake.base_url, concurrency=PLATFORM_CONCURRENCY)
        fake.set_behaviour(respond_with_answer(LONG_ANSWER))
        with site.client("account-hostile") as hostile, site.client("account-other") as other:
            corrected = _run_long_diagnosis(site, hostile)
            fake.set_behaviour(_answer_by_account)
            latencies_alone: list[float] = []
            with _requesting(site, latencies_alone):
                alone = [_measure_first_answer(site, other) for _ in range(FIRST_ANSWERS)]
            for _ in range(size.orders):
                order_question(hostile, f"慢 {uuid.uuid4().hex}")
            with _correcting(site, corrected, size.corrections, context.rng) as statuses:
                latencies: list[float] = []
                with _requesting(site, latencies):
                    attacked = [_measure_first_answer(site, other) for _ in range(FIRST_ANSWERS)]
            refused, failed = statuses[429], sum(count for status, count in statuses.items() if status >= 500)
    slowdown = statistics.median(attacked) / statistics.median(alone)
    p99 = get_quantile(latencies, 0.99)
    return BenchmarkResult(
        f"one account with {size.orders} slow orders and {size.corrections} corrections in flight: "
        "another's first answer; another's API p99",
        f"<= {MAX_SLOWDOWN:g}x alone; <= {MAX_P99_SECONDS * 1000:g} ms",
        f"{slowdown:.2f}x ({statistics.median(attacked):.2f} s, at most {max(attacked):.2f} s, against "
        f"{statistics.median(alone):.2f} s); {p99 * 1000:.0f} ms of {len(latencies)} requests, "
        f"{get_quantile(latencies_alone, 0.99) * 1000:.0f} ms alone; "
        f"{statuses.total()} corrections, {refused} of them told to wait, {failed} failed",
        max(attacked) <= MAX_SLOWDOWN * statistics.median(alone) and p99 <= MAX_P99_SECONDS and statuses[200] > 0,
    )


async def _answer_by_account(exchange: Exchange) -> None:
    seconds = SLOW_SECONDS if exchange.call.question.startswith("慢") else NORMAL_SECONDS
    await respond_with_answer(delay_seconds=seconds)(exchange)


def order_question(client: httpx.Client, question: str) -> StartedDiagnosis:
    """Order a diagnosis of one question."""
    body = {"brand": "苹果", "questions": [question], "platforms": ["shared"]}
    response = client.post("/api/diagnoses", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    response.raise_for_status()
    accepted = response.json()
    return StartedDiagnosis(accepted["id"], accepted["stream"], accepted["planned"])


def _run_long_diagnosis(site: Site, client: httpx.Client) -> StartedDiagnosis:
    ordered = request_diagnosis(client, ["shared"], questions=CORRECTED_QUESTIONS, repeats=CORRECTED_REPEATS)
    wait_until_all_ended(site)
    return ordered


def _measure_first_answer(site: Site, client: httpx.Client) -> float:
    """Return the seconds from the order to the event of the first answer."""
    began = time.monotonic()
    ordered = order_question(client, f"问 {uuid.uuid4().hex}")
    token = str(client.headers["Authorization"]).removeprefix("Bearer ")
    with connect(f"{site.url.replace('http', 'ws')}/ws/diagnosis/{ordered.stream}/", proxy=None) as follower:
        follower.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
        while True:
            frame = json.loads(follower.recv(120))
            if any(kind == "result" for _seq, kind, _data in frame.get("e", [])):
                return time.monotonic() - began
            if frame["type"] == "ping":
                follower.send(json.dumps({"type": "pong", "nonce": frame["nonce"]}))


@contextmanager
def _requesting(site: Site, latencies: list[float]) -> Iterator[None]:
    """Send requests of a third account while the block runs."""

    def send() -> None:
        with site.client("account-third") as client:
            while not is_over.wait(REQUEST_INTERVAL_SECONDS):
                began = time.perf_counter()
                client.get("/api/diagnoses").raise_for_status()
                latencies.append(time.perf_counter() - began)

    is_over = threading.Event()
    with _running_threads([send], is_over):
        yield


@contextmanager
def _correcting(site: Site, corrected: StartedDiagnosis, count: int, rng: random.Random) -> Iterator[Counter[int]]:
    """Keep so many corrections in flight while the block runs; yield the statuses of the responses."""
    statuses, is_over = Counter[int](), threading.Event()

    def correct(number: int) -> None:
        with site.client("account-hostile") as client:
            path = f"/api/diagnoses/{corrected.id}/corrections"
            brand = client.get(f"/api/diagnoses/{corrected.id}").json()["brand"]
            while not is_over.is_set():
                alias = f"名{number}-{rng.randrange(10**9)}"
                created = client.post(path, json={"kind": "alias", "brand": brand, "alias": alias}, timeout=60)
                statuses[created.status_code] += 1
                if created.status_code == 200:
                    undone = client.delete(f"{path}/{created.json()['id']}", timeout=60)
                    statuses[200 if undone.status_code == 204 else undone.status_code] += 1
                else:
                    is_over.wait(rng.uniform(0.2, 1))

    with _running_threads([lambda number=number: correct(number) for number in range(count)], is_over):
        yield statuses


@contextmanager
def _running_threads(targets: list, is_over: threading.Event) -> Iterator[None]:  # type: ignore[type-arg]
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
