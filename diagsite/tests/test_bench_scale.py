"""The model behind docs/operations/scaling.md agrees with queueing theory, and the page shows what it computes."""

import math
import random

import pytest

from bench.scale.capacity import needs, table
from bench.scale.queueing import House, Order, simulate
from diagsite.tests.site import ROOT


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
        orders.append(Order(at, [("any", chance.expovariate(1.0))]))
    courses = simulate(House(processes, places, platform_concurrency=100), orders)
    mean = sum(course.waited for course in courses) / len(courses)
    assert mean == pytest.approx(_waiting_by_erlang_c(3, 2.4, 1.0), rel=0.15)


def test_calls_wait_for_their_platform_and_answers_for_their_core() -> None:
    order = Order(0.0, [("a", 1.0), ("a", 1.0), ("b", 1.0)])
    house = House(1, 1, platform_concurrency=1, start_seconds=0.5, diagnosis_seconds=0.2, call_seconds=0.1)
    (course,) = simulate(house, [order])
    assert (course.waited, course.took) == pytest.approx((0.5, 0.5 + 0.1 + 2.0 + 0.1 + 0.1))


def test_the_second_waits_until_the_first_gives_its_place_back() -> None:
    first, second = simulate(House(1, 1, 10), [Order(0.0, [("a", 2.0)]), Order(0.5, [("a", 1.0)])])
    assert (first.took, second.waited, second.took) == (2.0, 1.5, 2.5)


def test_needs_grow_with_users_and_never_below_a_core() -> None:
    few, many = needs(1), needs(1_000_000)
    assert (few.worker_cores, few.web_cores, few.database_cores) == (1, 1, 1)
    assert needs(2_000_000).diagnoses_a_second == pytest.approx(2 * many.diagnoses_a_second)
    assert needs(1_000_000, times=10).events_a_second == pytest.approx(10 * many.events_a_second)


def test_the_page_shows_what_the_model_computes() -> None:
    assert "\n".join(table()) in (ROOT / "docs/operations/scaling.md").read_text()
