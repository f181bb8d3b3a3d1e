"""AI platforms that are slow, half-open, reset connections, send half a response or send it byte by byte."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from bench.chaos.cluster import SLOW_STALL_SETTINGS, Cluster, running_cluster
from bench.chaos.scenario import ScenarioContext
from bench.chaos.workload import Workload, add_fake_platforms
from bench.harness import BenchmarkResult
from testing.fakes.platform import (
    Behaviour,
    Exchange,
    FakePlatform,
    hold_response,
    reset_connection,
    respond_slowly,
    respond_with_answer,
    respond_with_truncated_body,
)

TIMEOUT_SETTINGS = {"CALL_TIMEOUT_SECONDS": "3", **SLOW_STALL_SETTINGS}
FAILURE_SHARE = 0.35  # of the calls; three attempts answer most of them
FAILURE_MODES: dict[str, Callable[[], Behaviour]] = {
    "slow": lambda: respond_with_answer(delay_seconds=20),
    "half-open": hold_response,
    "reset": reset_connection,
    "cut": respond_with_truncated_body,
    "drip": lambda: respond_slowly(interval_seconds=0.2),
}


def run_failing_platforms(context: ScenarioContext) -> BenchmarkResult:
    """Use five platforms, each of which fails in its own way at a third of the calls."""
    began, failure_counts = time.monotonic(), Counter[str]()
    with FakePlatform() as fake, running_cluster(variables=TIMEOUT_SETTINGS) as cluster:
        behaviours = {
            name: _fail_sometimes(make(), context.rng, failure_counts, name) for name, make in FAILURE_MODES.items()
        }
        add_fake_platforms(cluster.site, fake, behaviours, concurrency=8)
        result = run_failing_workload(context, cluster, fake, tuple(FAILURE_MODES), began)
    counts_text = ", ".join(f"{name} {count}x" for name, count in sorted(failure_counts.items()))
    is_held = result.is_held and all(failure_counts[name] for name in FAILURE_MODES)
    return replace(result, measured=f"{result.measured}; {counts_text}", is_held=is_held)


def _fail_sometimes(failure: Behaviour, rng: random.Random, failure_counts: Counter[str], name: str) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        fails = rng.random() < FAILURE_SHARE
        failure_counts[name] += fails
        await (failure if fails else respond_with_answer(delay_seconds=rng.uniform(0.05, 0.3)))(exchange)

    return behave


def run_failing_workload(
    context: ScenarioContext, cluster: Cluster, fake: FakePlatform, platforms: tuple[str, ...], began: float
) -> BenchmarkResult:
    """Run one workload whose platforms fail by themselves; diagnoses may end as partial or failed."""
    workload = Workload(
        cluster.site,
        fake,
        context.rng,
        replace(context.size, questions=3),
        allowed_statuses=frozenset({"completed", "partial", "failed"}),
        platforms=platforms,
        checks_repeated_calls=False,
    )
    with workload.injecting():
        workload.start()
    return workload.finish(context.title, time.monotonic() - began)
