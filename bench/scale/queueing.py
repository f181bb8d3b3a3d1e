"""Diagnoses in a queue, as a simulation: orders that arrive, worker processes with places, platforms with limits.

The rules are those of the site: orders are taken first come, first served, by whichever process has a place; a
diagnosis keeps its place until its last call has ended; of a platform's calls only so many run at once, over all
processes; what is computed for a diagnosis or an answer is computed one after the other in its process.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy


@dataclass(frozen=True)
class PlannedDiagnosis:
    """A diagnosis: when it arrives, and the seconds that each of its calls will take, by platform."""

    arrives_at: float
    calls: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class QueueModel:
    """What serves: processes with so many places each, calls at once of a platform, what is computed, in seconds.

    start_seconds: from acceptance to the first call on an idle site; diagnosis_seconds, platform_call_seconds: of the
    process's own time, for a diagnosis's begin and end together and for each answer.
    """

    processes: int
    slots: int
    platform_concurrency: int
    start_seconds: float = 0.0
    diagnosis_seconds: float = 0.0
    call_seconds: float = 0.0


@dataclass(frozen=True)
class Timing:
    """What became of an order, in seconds: until it started, and until it ended."""

    wait_seconds: float
    total_seconds: float


class _Simulation:
    def __init__(self, house: QueueModel, orders: Sequence[PlannedDiagnosis]) -> None:
        self.model = house
        self.environment = simpy.Environment()
        self.slots = simpy.Store(self.environment)  # a place is the core of its process
        for _ in range(house.processes):
            core = simpy.Resource(self.environment, capacity=1)
            for _ in range(house.slots):
                self.slots.put(core)
        platforms = {platform for order in orders for platform, _ in order.calls}
        self.platforms = {
            name: simpy.Resource(self.environment, capacity=house.platform_concurrency) for name in platforms
        }
        self.timings: list[Timing | None] = [None] * len(orders)
        for number, order in enumerate(orders):
            self.environment.process(self._run_diagnosis(number, order))

    def _run_diagnosis(self, number: int, order: PlannedDiagnosis) -> Generator[simpy.Event, Any, None]:
        clock = self.environment
        yield clock.timeout(order.arrives_at)
        core: simpy.Resource = yield self.slots.get()
        yield clock.timeout(self.model.start_seconds)
        started = clock.now
        yield from self._compute(core, self.model.diagnosis_seconds / 2)
        yield simpy.AllOf(clock, [clock.process(self._call(core, *call)) for call in order.calls])
        yield from self._compute(core, self.model.diagnosis_seconds / 2)
        self.timings[number] = Timing(started - order.arrives_at, clock.now - order.arrives_at)
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


def simulate_queue(model: QueueModel, orders: Sequence[PlannedDiagnosis]) -> list[Timing]:
    """What becomes of each order, in their order, when all run to their end."""
    simulation = _Simulation(model, orders)
    simulation.environment.run()
    return [course for course in simulation.timings if course is not None]
