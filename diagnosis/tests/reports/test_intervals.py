"""Differences of rates against published values, properties of the bootstrap; `make bench-report` measures coverage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.reports.bootstrap import bootstrap_share_intervals
from diagnosis.reports.intervals import compute_rate, compute_rate_interval, newcombe_difference_interval


def test_rate_without_trials_is_unknown() -> None:
    assert compute_rate(0, 0) is None
    assert compute_rate_interval(0, 0) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe (1998), Interval estimation for the difference, table II, method 10; there first minus second
        ((48, 80), (56, 70), -0.3339, -0.0524),
        ((3, 10), (9, 10), -0.8090, -0.1705),
        ((0, 10), (10, 10), -1.0000, -0.6075),
    ],
)
def test_newcombe_interval_equals_published_values(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe_difference_interval(second, first) == pytest.approx((low, high), abs=0.0005)


COUNT = st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(COUNT, COUNT)
def test_newcombe_interval_contains_the_difference_and_is_symmetric(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    low, high = newcombe_difference_interval(first, second)
    reversed_low, reversed_high = newcombe_difference_interval(second, first)
    assert -1 <= low <= second[0] / second[1] - first[0] / first[1] + 1e-12
    assert (-reversed_high, -reversed_low) == pytest.approx((low, high), abs=1e-12)


def test_bootstrap_is_deterministic_for_a_seed() -> None:
    counts = [[3, 1], [2, 2], [0, 4], [1, 1], [5, 0], [2, 3]]
    assert bootstrap_share_intervals(counts, 7) == bootstrap_share_intervals(counts, 7)
    assert bootstrap_share_intervals(counts, 7) != bootstrap_share_intervals(counts, 8)
    (first, second) = bootstrap_share_intervals(counts, 7)
    assert first is not None
    assert second is not None
    assert first[0] < 13 / 24 < first[1]
    assert (1 - second[1], 1 - second[0]) == pytest.approx(first)


def test_bootstrap_needs_two_questions_and_a_mention() -> None:
    assert bootstrap_share_intervals([[3, 1]], 7) == [None, None]
    assert bootstrap_share_intervals([[0, 0], [0, 0]], 7) == [None, None]
    assert bootstrap_share_intervals([], 7) == []


def test_bootstrap_interval_is_wider_for_correlated_answers() -> None:
    independent, correlated = [[1, 1]] * 20, [[2, 0], [0, 2]] * 10
    (narrow, _), (wide, _) = bootstrap_share_intervals(independent, 1), bootstrap_share_intervals(correlated, 1)
    assert narrow == (0.5, 0.5)
    assert wide is not None
    assert wide[1] - wide[0] > 0.3
