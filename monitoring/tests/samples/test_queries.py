"""Increases and gauge values over windows, with restarts, gaps and ended processes."""

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
from testing.data.samples import (
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


def read_increases(
    end: Any, *windows: int, metric: str = CALLS_METRIC, matchers: Any = (), **kwargs: Any
) -> list[float]:
    query = SampleQuery(SeriesSelector(metric, matchers, **kwargs), windows)
    return SampleReader([query], end).get_increases(query)


def read_gauge(end: Any) -> float | None:
    query = SampleQuery(SeriesSelector("jobs_running"))
    return SampleReader([query], end).get_gauge(query)


def test_increase_covers_the_window_only() -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(2, 1)] * 40)
    assert read_increases(NOON + 40 * BUCKET, 300, 150) == [60, 30]
    assert read_increases(NOON + 40 * BUCKET, 300, matchers=FAILED) == [20]


def test_increases_are_summed_over_processes_and_restarts() -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(1, 0)] * 40)
    write_calls(make_process(NOON, NOON + 30 * BUCKET), NOON, [(1, 0)] * 30)  # killed
    write_calls(make_process(NOON + 32 * BUCKET, NOON + 40 * BUCKET), NOON + 32 * BUCKET, [(1, 0)] * 8)
    assert read_increases(NOON + 40 * BUCKET, 300) == [20 + 10 + 8]


def test_new_series_starts_at_zero() -> None:
    process = make_process(NOON, NOON + 40 * BUCKET)
    write_counter(process, make_series(CALLS_METRIC, {"outcome": "busy"}), NOON + 35 * BUCKET, [3, 1, 1, 0, 0])
    assert read_increases(NOON + 40 * BUCKET, 300) == [5]


def test_failed_flushes_lose_nothing() -> None:
    process, series = make_process(NOON, NOON + 40 * BUCKET), make_series(CALLS_METRIC, {})
    write_values((process, series, NOON + n * BUCKET, float(n + 1)) for n in range(40) if n % 7)
    assert read_increases(NOON + 40 * BUCKET, 300) == [20]


def test_last_two_buckets_are_excluded() -> None:
    """Some processes may not have flushed them yet."""
    assert get_complete_until(NOON + timedelta(seconds=44)) == NOON
    assert get_complete_until(NOON + timedelta(seconds=45)) == NOON + BUCKET


def test_demo_platform_counts_only_if_requested(settings: Any) -> None:
    process = make_process(NOON, NOON + 20 * BUCKET)
    write_calls(process, NOON, [(1, 0)] * 20)
    write_calls(process, NOON, [(0, 5)] * 20, platform="demo-down", demo="true")
    assert read_increases(NOON + 20 * BUCKET, 300) == [20]
    assert read_increases(NOON + 20 * BUCKET, 300, includes_demo=True) == [120]
    settings.DEMO = True  # a demo failure is no incident of a demo site either
    assert read_increases(NOON + 20 * BUCKET, 300) == [20]


def test_missing_samples_are_not_zero() -> None:
    assert read_increases(NOON, 300) == []
    write_calls(make_process(NOON, NOON + 4 * BUCKET), NOON, [(0, 0)] * 4)
    assert read_increases(NOON + 4 * BUCKET, 300) == [0]
    assert read_increases(NOON + timedelta(hours=9), 300) == []  # the process has been gone for hours


def test_gauge_is_the_sum_over_running_processes() -> None:
    series = make_series("jobs_running", {"task": "t"})
    processes = [
        (make_process(NOON, NOON + 40 * BUCKET), 4),
        (make_process(NOON, NOON + 38 * BUCKET), 5),  # missed a flush
        (make_process(NOON, NOON + 30 * BUCKET), 7),  # killed, so its last value stays stored
        (make_process(NOON, NOON + 39 * BUCKET, ended_at=NOON + 39 * BUCKET), 9),  # ended
    ]
    for process, value in processes:
        last = int((process.seen_at - NOON) / BUCKET)
        write_values((process, series, NOON + n * BUCKET, float(value)) for n in range(last))
    assert read_gauge(NOON + 40 * BUCKET) == 9
    assert read_gauge(NOON + 30 * BUCKET) == 25
    assert read_gauge(NOON + 50 * BUCKET) is None


def test_both_readers_agree_on_random_samples(record_property: Any) -> None:
    seed = random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    rng = random.Random(seed)
    for _ in range(6):
        first = rng.randrange(100)
        process = make_process(NOON + first * BUCKET, NOON + 200 * BUCKET)
        calls = [(rng.randrange(9), rng.randrange(3)) for _ in range(first, 200 - rng.randrange(90))]
        write_calls(process, NOON + first * BUCKET, calls, platform=f"p{rng.randrange(3)}")
    for _ in range(10):
        end, window = NOON + rng.randrange(120, 200) * BUCKET, 15 * rng.randrange(2, 110)
        steps = read_increases_by_bucket(
            find_series_ids(SeriesSelector(CALLS_METRIC)), end - timedelta(seconds=window), end
        )
        assert read_increases(end, window) == [pytest.approx(sum(value for _, value in steps))], f"seed {seed}"


def test_number_of_queries_does_not_depend_on_the_number_of_rules(django_assert_num_queries: Any) -> None:
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(2, 1)] * 40)
    make_series("jobs_running", {"task": "t"})
    queries = [SampleQuery(SeriesSelector(CALLS_METRIC, FAILED), (300 + 15 * n,)) for n in range(50)] + [
        SampleQuery(SeriesSelector("jobs_running"))
    ]
    with django_assert_num_queries(4):
        SampleReader(queries, NOON + 40 * BUCKET)
