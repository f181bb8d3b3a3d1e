"""A simulation of diagnoses in a queue: arrivals, worker processes with slots, platforms with limits.

The rules are those of the site: diagnoses start in the order of arrival in any process with a free slot, and keep it
until their last call has ended; the calls of a platform are limited over all processes; each process has one core.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy


@dataclass(frozen=True)
class PlannedDiagnosis:
    """The arrival of a diagnosis in seconds, and its calls: platform and duration."""

    arrives_at: float
    calls: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class QueueModel:
    """Processes, slots per process, concurrent calls per platform, and overheads in seconds.

    start_seconds: from acceptance to the first call on an idle site; diagnosis_seconds: CPU time of a diagnosis,
    half of it before and half after its calls; call_seconds: CPU time of an answer.
    """

    processes: int
    slots: int
    platform_concurrency: int
    start_seconds: float = 0.0
    diagnosis_seconds: float = 0.0
    call_seconds: float = 0.0


@dataclass(frozen=True)
class Timing:
    """Seconds from the arrival of a diagnosis until its start and until its end."""

    wait_seconds: float
    total_seconds: float


class _Simulation:
    def __init__(self, model: QueueModel, plan: Sequence[PlannedDiagnosis]) -> None:
        self.model = model
        self.environment = simpy.Environment()
        self.slots = simpy.Store(self.environment)  # of the cores of their processes
        for _ in range(model.processes):
            core = simpy.Resource(self.environment, capacity=1)
            for _ in range(model.slots):
                self.slots.put(core)
        platforms = {platform for diagnosis in plan for platform, _ in diagnosis.calls}
        self.platforms = {
            name: simpy.Resource(self.environment, capacity=model.platform_concurrency) for name in platforms
        }
        self.timings: list[Timing | None] = [None] * len(plan)
        for number, diagnosis in enumerate(plan):
            self.environment.process(self._run_diagnosis(number, diagnosis))

    def _run_diagnosis(self, number: int, diagnosis: PlannedDiagnosis) -> Generator[simpy.Event, Any, None]:
        clock = self.environment
        yield clock.timeout(diagnosis.arrives_at)
        core: simpy.Resource = yield self.slots.get()
        yield clock.timeout(self.model.start_seconds)
        started = clock.now
        yield from self._compute(core, self.model.diagnosis_seconds / 2)
        yield simpy.AllOf(clock, [clock.process(self._call(core, *call)) for call in diagnosis.calls])
        yield from self._compute(core, self.model.diagnosis_seconds / 2)
        self.timings[number] = Timing(started - diagnosis.arrives_at, clock.now - diagnosis.arrives_at)
        yield self.slots.put(core)

    def _call(self, core: simpy.Resource, platform: str, seconds: float) -> Generator[simpy.Event, Any, None]:
        with self.platforms[platform].request() as request:
            yield request
            yield self.environment.timeout(seconds)
        yield from self._compute(core, self.model.call_seconds)

    def _compute(self, core: simpy.Resource, seconds: float) -> Generator[simpy.Event, Any, None]:
        with core.request() as request:
            yield request
            yield self.environment.timeout(seconds)


def simulate_queue(model: QueueModel, plan: Sequence[PlannedDiagnosis]) -> list[Timing]:
    """Run all diagnoses to their end, and return their timings in the order of the plan."""
    simulation = _Simulation(model, plan)
    simulation.environment.run()
    return [timing for timing in simulation.timings if timing is not None]
