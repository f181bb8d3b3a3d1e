"""The model behind docs/operations/scaling.md agrees with queueing theory, and the page shows what it computes."""

import math
import random

import pytest

from bench.scale.capacity import estimate_capacity, format_table
from bench.scale.queueing import PlannedDiagnosis, QueueModel, simulate_queue
from testing.site import PROJECT_ROOT


def _waiting_by_erlang_c(places: int, rate: float, seconds: float) -> float:
    """Mean wait of M/M/c (Erlang, 1917): C(c, a) * s / (c - a) with a = rate * s."""
    load = rate * seconds
    last = load**places / math.factorial(places) * places / (places - load)
    all_busy = last / (sum(load**n / math.factorial(n) for n in range(places)) + last)
    return all_busy * seconds / (places - load)


@pytest.mark.parametrize(("processes", "places"), [(1, 3), (3, 1)])
def test_random_orders_wait_as_erlang_c_says(processes: int, places: int) -> None:
    chance, at, orders = random.Random(20261125), 0.0, []
    for _ in range(8_000):
        at += chance.expovariate(2.4)
        orders.append(PlannedDiagnosis(at, [("any", chance.expovariate(1.0))]))
    courses = simulate_queue(QueueModel(processes, places, platform_concurrency=100), orders)
    mean = sum(course.wait_seconds for course in courses) / len(courses)
    assert mean == pytest.approx(_waiting_by_erlang_c(3, 2.4, 1.0), rel=0.15)


def test_calls_wait_for_their_platform_and_answers_for_their_core() -> None:
    order = PlannedDiagnosis(0.0, [("a", 1.0), ("a", 1.0), ("b", 1.0)])
    model = QueueModel(1, 1, platform_concurrency=1, start_seconds=0.5, diagnosis_seconds=0.2, call_seconds=0.1)
    (course,) = simulate_queue(model, [order])
    assert (course.wait_seconds, course.total_seconds) == pytest.approx((0.5, 0.5 + 0.1 + 2.0 + 0.1 + 0.1))


def test_the_second_waits_until_the_first_gives_its_place_back() -> None:
    first, second = simulate_queue(
        QueueModel(1, 1, 10), [PlannedDiagnosis(0.0, [("a", 2.0)]), PlannedDiagnosis(0.5, [("a", 1.0)])]
    )
    assert (first.total_seconds, second.wait_seconds, second.total_seconds) == (2.0, 1.5, 2.5)


def test_needs_grow_with_users_and_never_below_a_core() -> None:
    few, many = estimate_capacity(1), estimate_capacity(1_000_000)
    assert (few.worker_cores, few.web_cores, few.database_cores) == (1, 1, 1)
    assert estimate_capacity(2_000_000).diagnoses_per_second == pytest.approx(2 * many.diagnoses_per_second)
    assert estimate_capacity(1_000_000, load_factor=10).events_per_second == pytest.approx(10 * many.events_per_second)


def test_the_page_shows_what_the_model_computes() -> None:
    assert "\n".join(format_table()) in (PROJECT_ROOT / "docs/operations/scaling.md").read_text()
