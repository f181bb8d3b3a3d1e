"""What a window holds, whatever the processes went through meanwhile."""

import random
from datetime import timedelta
from typing import Any

import pytest

from monitoring.samples.queries import (
    SampleQuery,
    SampleReader,
    SeriesSelector,
    find_series_ids,
    get_complete_until,
    read_increases_by_bucket,
)
from testing.samples import (
    BUCKET,
    CALLS_METRIC,
    NOON,
    make_process,
    make_series,
    write_calls,
    write_counter,
    write_values,
)

pytestmark = pytest.mark.django_db

FAILED = ({"label": "outcome", "op": "!=", "values": ["valid"]},)


@pytest.fixture(autouse=True)
def no_demo(settings: Any) -> None:
    settings.DEMO = False


def increase(end: Any, *windows: int, metric: str = CALLS_METRIC, matchers: Any = (), **kwargs: Any) -> list[float]:
    need = SampleQuery(SeriesSelector(metric, matchers, **kwargs), windows)
    return SampleReader([need], end).get_increases(need)


def gauge(end: Any) -> float | None:
    need = SampleQuery(SeriesSelector("jobs_running"))
    return SampleReader([need], end).get_gauge(need)


def test_an_increase_is_what_was_added_inside_the_window() -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(2, 1)] * 40)
    assert increase(NOON + 40 * BUCKET, 300, 150) == [60, 30]
    assert increase(NOON + 40 * BUCKET, 300, matchers=FAILED) == [20]


def test_processes_are_added_up_and_a_restart_begins_at_nought() -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(1, 0)] * 40)
    write_calls(make_process(NOON, NOON + 30 * BUCKET), NOON, [(1, 0)] * 30)  # killed
    write_calls(make_process(NOON + 32 * BUCKET, NOON + 40 * BUCKET), NOON + 32 * BUCKET, [(1, 0)] * 8)
    assert increase(NOON + 40 * BUCKET, 300) == [20 + 10 + 8]


def test_a_series_that_appears_inside_the_window_began_at_nought() -> None:
    process = make_process(NOON, NOON + 40 * BUCKET)
    write_counter(process, make_series(CALLS_METRIC, {"outcome": "busy"}), NOON + 35 * BUCKET, [3, 1, 1, 0, 0])
    assert increase(NOON + 40 * BUCKET, 300) == [5]


def test_a_flush_that_failed_costs_nothing() -> None:
    process, series = make_process(NOON, NOON + 40 * BUCKET), make_series(CALLS_METRIC, {})
    write_values((process, series, NOON + n * BUCKET, float(n + 1)) for n in range(40) if n % 7)
    assert increase(NOON + 40 * BUCKET, 300) == [20]


def test_the_last_two_buckets_are_left_out() -> None:
    """Some process may not have stored them yet."""
    assert get_complete_until(NOON + timedelta(seconds=44)) == NOON
    assert get_complete_until(NOON + timedelta(seconds=45)) == NOON + BUCKET


def test_demo_counts_only_where_it_is_wanted(settings: Any) -> None:
    process = make_process(NOON, NOON + 20 * BUCKET)
    write_calls(process, NOON, [(1, 0)] * 20)
    write_calls(process, NOON, [(0, 5)] * 20, platform="demo-down", demo="true")
    assert increase(NOON + 20 * BUCKET, 300) == [20]
    assert increase(NOON + 20 * BUCKET, 300, includes_demo=True) == [120]
    settings.DEMO = True
    assert increase(NOON + 20 * BUCKET, 300) == [120]


def test_nothing_sampled_is_not_nought() -> None:
    assert increase(NOON, 300) == []
    write_calls(make_process(NOON, NOON + 4 * BUCKET), NOON, [(0, 0)] * 4)
    assert increase(NOON + 4 * BUCKET, 300) == [0]
    assert increase(NOON + timedelta(hours=9), 300) == []  # of a process that is long gone


def test_a_gauge_is_the_sum_over_the_processes_that_live() -> None:
    series = make_series("jobs_running", {"task": "t"})
    lives = [
        (make_process(NOON, NOON + 40 * BUCKET), 4),
        (make_process(NOON, NOON + 38 * BUCKET), 5),  # has missed a flush
        (make_process(NOON, NOON + 30 * BUCKET), 7),  # killed: its last value stays for ever
        (make_process(NOON, NOON + 39 * BUCKET, ended_at=NOON + 39 * BUCKET), 9),  # has ended
    ]
    for process, value in lives:
        last = int((process.seen_at - NOON) / BUCKET)
        write_values((process, series, NOON + n * BUCKET, float(value)) for n in range(last))
    assert gauge(NOON + 40 * BUCKET) == 9
    assert gauge(NOON + 30 * BUCKET) == 25
    assert gauge(NOON + 50 * BUCKET) is None


def test_both_ways_of_reading_agree_on_random_histories(record_property: Any) -> None:
    seed = random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    chance = random.Random(seed)
    for _ in range(6):
        first = chance.randrange(100)
        process = make_process(NOON + first * BUCKET, NOON + 200 * BUCKET)
        calls = [(chance.randrange(9), chance.randrange(3)) for _ in range(first, 200 - chance.randrange(90))]
        write_calls(process, NOON + first * BUCKET, calls, platform=f"p{chance.randrange(3)}")
    for _ in range(10):
        end, window = NOON + chance.randrange(120, 200) * BUCKET, 15 * chance.randrange(2, 110)
        steps = read_increases_by_bucket(
            find_series_ids(SeriesSelector(CALLS_METRIC)), end - timedelta(seconds=window), end
        )
        assert increase(end, window) == [pytest.approx(sum(value for _, value in steps))], f"seed {seed}"


def test_all_rules_are_read_in_as_many_queries_as_one(django_assert_num_queries: Any) -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(2, 1)] * 40)
    make_series("jobs_running", {"task": "t"})
    needs = [SampleQuery(SeriesSelector(CALLS_METRIC, FAILED), (300 + 15 * n,)) for n in range(50)] + [
        SampleQuery(SeriesSelector("jobs_running"))
    ]
    with django_assert_num_queries(4):
        SampleReader(needs, NOON + 40 * BUCKET)
