"""What a scenario is, and the course of one that injects a fault into a running workload."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bench.chaos.cluster import ChaosEnvironment, Cluster
from bench.chaos.workload import Workload, WorkloadSize, add_fake_platforms, build_normal_behaviours
from bench.harness import BenchmarkResult
from testing.fakes.platform import FakePlatform

FaultInjector = Callable[[Workload, Cluster], None]


@dataclass(frozen=True)
class ScenarioContext:
    """What a run of a scenario gets."""

    title: str
    environment: ChaosEnvironment
    rng: random.Random
    size: WorkloadSize


@dataclass(frozen=True)
class Scenario:
    """Something that is done to a site; `max_injections` limits `WorkloadSize.times`."""

    name: str
    title: str
    run_with: Callable[[ScenarioContext], BenchmarkResult | list[BenchmarkResult]]
    max_injections: int = 1000

    def run(self, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize) -> list[BenchmarkResult]:
        """Run it. Raises ScenarioUnavailable or MissingServiceError if the machine does not allow it."""
        size = replace(size, times=min(size.times, self.max_injections))
        result = self.run_with(ScenarioContext(self.title, environment, rng, size))
        return result if isinstance(result, list) else [result]


def run_fault_scenario(
    context: ScenarioContext, cluster: Cluster, inject: FaultInjector, **workload_options: Any
) -> BenchmarkResult:
    """Start a workload, inject the fault `size.times` times while it runs, and check the outcome."""
    began = time.monotonic()
    with FakePlatform() as fake:
        workload = Workload(cluster.site, fake, context.rng, context.size, **workload_options)
        add_fake_platforms(cluster.site, fake, build_normal_behaviours(context.rng))
        workload.start()
        for _ in range(context.size.times):
            while not workload.wait_until_mid_run():
                workload.start()
            with workload.injecting():
                inject(workload, cluster)
        return workload.finish(context.title, time.monotonic() - began)
