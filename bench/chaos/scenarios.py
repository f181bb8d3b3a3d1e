"""All attacks, in the order in which they are run."""

import random

from bench.chaos.clock import run_clock_steps
from bench.chaos.cluster import ChaosEnvironment
from bench.chaos.deploy import run_rolling_deploy
from bench.chaos.disk import run_full_disk
from bench.chaos.faults import FAULT_SCENARIOS, Scenario
from bench.chaos.fuzzing import run_frame_scenario
from bench.chaos.platforms import run_failing_platforms, run_faulty_dns
from bench.chaos.schema import run_schemathesis
from bench.chaos.soak import run_soak
from bench.chaos.workload import WorkloadSize
from bench.harness import BenchmarkResult

__all__ = ["SCENARIOS", "Scenario", "WorkloadSize"]


def _run_schema_scenario(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> list[BenchmarkResult]:
    return run_schemathesis(rng, environment.directory, examples=size.examples)


def _run_frames_scenario(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> list[BenchmarkResult]:
    return run_frame_scenario(rng, count=size.frames)


SCENARIOS = [
    *FAULT_SCENARIOS,
    Scenario("platforms", "platforms slow, half-open, resetting, breaking off, dripping", run_failing_platforms),
    Scenario("dns", "names that are found late, wrongly, or not", run_faulty_dns),
    Scenario("disk", "a full disk under PostgreSQL for 4 to 8 s", run_full_disk, max_injections=4),
    Scenario("clock", "the clock stepped by 5 s to an hour, there and back", run_clock_steps),
    Scenario("deploy", "a rolling deploy, there and back", run_rolling_deploy),
    Scenario("soak", "1,000 idle sockets and 200 diagnoses", run_soak),
    Scenario("schema", "requests made from the OpenAPI schema", _run_schema_scenario),
    Scenario("frames", "fuzzed frames at the socket", _run_frames_scenario),
]
