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
class Order:
    """A diagnosis: when it arrives, and the seconds that each of its calls will take, by platform."""

    at: float
    calls: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class House:
    """What serves: processes with so many places each, calls at once of a platform, what is computed, in seconds.

    start_seconds: from acceptance to the first call when nothing waits; diagnosis_seconds and call_seconds: of the
    process's own time, for a diagnosis's begin and end together and for each answer.
    """

    processes: int
    places: int
    platform_concurrency: int
    start_seconds: float = 0.0
    diagnosis_seconds: float = 0.0
    call_seconds: float = 0.0


@dataclass(frozen=True)
class Course:
    """What became of an order, in seconds: until it started, and until it ended."""

    waited: float
    took: float


class _Simulation:
    def __init__(self, house: House, orders: Sequence[Order]) -> None:
        self.house = house
        self.environment = simpy.Environment()
        self.places = simpy.Store(self.environment)  # a place is the core of its process
        for _ in range(house.processes):
            core = simpy.Resource(self.environment, capacity=1)
            for _ in range(house.places):
                self.places.put(core)
        platforms = {platform for order in orders for platform, _ in order.calls}
        self.platforms = {
            name: simpy.Resource(self.environment, capacity=house.platform_concurrency) for name in platforms
        }
        self.courses: list[Course | None] = [None] * len(orders)
        for number, order in enumerate(orders):
            self.environment.process(self._live(number, order))

    def _live(self, number: int, order: Order) -> Generator[simpy.Event, Any, None]:
        now = self.environment
        yield now.timeout(order.at)
        core: simpy.Resource = yield self.places.get()
        yield now.timeout(self.house.start_seconds)
        started = now.now
        yield from self._compute(core, self.house.diagnosis_seconds / 2)
        yield simpy.AllOf(now, [now.process(self._call(core, *call)) for call in order.calls])
        yield from self._compute(core, self.house.diagnosis_seconds / 2)
        self.courses[number] = Course(started - order.at, now.now - order.at)
        yield self.places.put(core)

    def _call(self, core: simpy.Resource, platform: str, seconds: float) -> Generator[simpy.Event, Any, None]:
        with self.platforms[platform].request() as turn:
            yield turn
            yield self.environment.timeout(seconds)
        yield from self._compute(core, self.house.call_seconds)

    def _compute(self, core: simpy.Resource, seconds: float) -> Generator[simpy.Event, Any, None]:
        with core.request() as turn:
            yield turn
            yield self.environment.timeout(seconds)


def simulate(house: House, orders: Sequence[Order]) -> list[Course]:
    """What becomes of each order, in their order, when all run to their end."""
    simulation = _Simulation(house, orders)
    simulation.environment.run()
    return [course for course in simulation.courses if course is not None]
