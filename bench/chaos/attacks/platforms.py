"""Hostile platforms: what a worker's memory grows by, and for how long its event loop stands still.

`python -m bench.chaos.attacks.platforms URL CALLS` makes the calls in a process of its own, as a worker does; it prints
what it observed.
"""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import django
import psutil

from bench.chaos.scenario import ScenarioContext
from bench.harness import BenchmarkResult
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, build_completion, respond_slowly
from testing.site import PLATFORM_KEY_SETTINGS, PROJECT_ROOT

BOMB_BYTES = 400 * 2**20
CALL_TIMEOUT_SECONDS = 4
WARM_UP_CALLS = 20
MAX_GROWTH_MB, MAX_STALL_SECONDS = 30, 0.1
SAMPLE_INTERVAL_SECONDS = 0.005
MB = 1_000_000


@dataclass(frozen=True)
class WorkerObservation:
    """Growth of the process in bytes, the longest stall of its event loop in seconds, and the outcomes of the calls."""

    growth: int
    stall: float
    outcomes: dict[str, int]


def run_hostile_platforms(context: ScenarioContext) -> list[BenchmarkResult]:
    """Make `size.calls` calls at once to a platform of each kind."""
    bomb = gzip.compress(bytes(BOMB_BYTES))
    results = []
    with FakePlatform() as fake, FakePlatform() as inside:
        for kind, behaviour in build_hostile_behaviours(bomb, inside).items():
            fake.set_behaviour(behaviour)
            observed = observe_worker(kind, fake.base_url, context.size.calls)
            reached = len(inside.calls)
            outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(observed.outcomes.items()))
            results.append(
                BenchmarkResult(
                    f"a platform that {kind}, {context.size.calls} calls at once: worker growth; longest stall of its "
                    "event loop",
                    f"<= {MAX_GROWTH_MB} MB; <= {MAX_STALL_SECONDS * 1000:g} ms; nothing inside reached",
                    f"{observed.growth / MB:.1f} MB; {observed.stall * 1000:.0f} ms; {reached} reached; {outcomes}",
                    observed.growth <= MAX_GROWTH_MB * MB
                    and observed.stall <= MAX_STALL_SECONDS
                    and reached == 0
                    and "valid" not in observed.outcomes,
                )
            )
    return results


def build_hostile_behaviours(bomb: bytes, inside: FakePlatform) -> dict[str, Behaviour]:
    """Return what each kind of platform does. inside: where it redirects to."""
    redirect = {"Location": f"http://127.0.0.1:{inside.port}/v1/chat/completions"}
    long_json = json.dumps(build_completion("山" * 4_000_000)).encode()
    return {
        "sends a gzip bomb": _respond(bomb, {"Content-Encoding": "gzip"}),
        "sends a bomb within a bomb": _respond(gzip.compress(bomb), {"Content-Encoding": "gzip, gzip"}),
        "sends without end": _send_endlessly(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
        "sends headers without end": _send_endlessly(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4000 + b"\r\n"),
        "drips a byte at a time": respond_slowly(interval_seconds=0.2),
        "redirects to an inside address": _respond(b"", redirect, status=307),
        "sends the largest answer that is read": _respond(long_json, {}),
        "nests without end": _respond(b"[" * 3_000_000, {}),
    }


def _respond(body: bytes, headers: dict[str, str], *, status: int = 200) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.respond(status, body, headers)

    return behave


def _send_endlessly(head: bytes, chunk: bytes) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(head)
        while True:
            await exchange.send(chunk)

    return behave


def observe_worker(kind: str, base_url: str, calls: int) -> WorkerObservation:
    """Make the calls in another process. Raises RuntimeError with its output if it fails."""
    command = [sys.executable, "-m", "bench.chaos.attacks.platforms", base_url, str(calls)]
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=os.environ | PLATFORM_KEY_SETTINGS | {"LOG_LEVEL": "CRITICAL", "OUTGOING_HOSTS": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"{kind}: {done.stderr[-2000:]}")
    return WorkerObservation(**json.loads(done.stdout))


async def _call_hostile_platform(base_url: str, calls: int) -> WorkerObservation:
    from diagnosis.exceptions import CallFailed
    from diagnosis.models import Platform
    from diagnosis.platforms.client import PlatformCall

    def build_platform(url: str) -> Platform:
        return Platform(pk="hostile", name="敌", base_url=url, model="m", key_variable="TEST_API_KEY")

    async def call(url: str) -> str:
        try:
            await PlatformCall(build_platform(url), "问").take_step(seed=1, timeout_seconds=CALL_TIMEOUT_SECONDS)
        except CallFailed as failure:
            return failure.reason.value
        return "valid"

    with FakePlatform() as friendly:
        await asyncio.gather(*(call(friendly.base_url) for _ in range(WARM_UP_CALLS)))
    return await _observe(lambda: asyncio.gather(*(call(base_url) for _ in range(calls))))


async def _observe(make_calls: Callable[[], Awaitable[list[str]]]) -> WorkerObservation:
    process = psutil.Process()
    before = peak = process.memory_info().rss
    stall = 0.0
    calls = asyncio.ensure_future(make_calls())
    while not calls.done():
        slept_at = time.perf_counter()
        await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)
        stall = max(stall, time.perf_counter() - slept_at - SAMPLE_INTERVAL_SECONDS)
        peak = max(peak, process.memory_info().rss)
    outcomes = await calls
    return WorkerObservation(peak - before, stall, {outcome: outcomes.count(outcome) for outcome in set(outcomes)})


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    django.setup()
    print(json.dumps(asdict(asyncio.run(_call_hostile_platform(sys.argv[1], int(sys.argv[2]))))))  # noqa: T201
