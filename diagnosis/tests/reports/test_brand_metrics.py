"""The statistics, against published values and their own laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.reports.intervals import compute_rate, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, table I,
        # method 3: the score interval without continuity correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # Agresti and Coull (1998), and by hand
        (0, 10, 0.0000, 0.2775),
        (10, 10, 0.7225, 1.0000),
        (5, 10, 0.2366, 0.7634),
        (1, 1, 0.2065, 1.0000),
    ],
)
def test_the_interval_is_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=0.00005)


def test_another_confidence_is_another_width() -> None:
    assert wilson_interval(81, 263, z=1.0) == pytest.approx((0.2803, 0.3372), abs=0.0005)


def test_without_trials_nothing_is_known() -> None:
    assert wilson_interval(0, 0) is None
    assert compute_rate(0, 0) is None


@given(st.integers(1, 2000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_interval_lies_in_0_to_1_around_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    successes, trials = counts
    interval, mirrored = wilson_interval(successes, trials), wilson_interval(trials - successes, trials)
    share = compute_rate(successes, trials)
    assert interval is not None
    assert mirrored is not None
    assert share is not None
    low, high = interval
    assert 0 <= low <= share <= high <= 1
    assert (low == 0) == (successes == 0)
    assert (high == 1) == (successes == trials)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


@given(st.integers(0, 50), st.integers(1, 50), st.integers(2, 20))
def test_more_of_the_same_makes_it_narrower(successes: int, more: int, times: int) -> None:
    trials = successes + more
    few, many = wilson_interval(successes, trials), wilson_interval(successes * times, trials * times)
    assert few is not None
    assert many is not None
    assert many[1] - many[0] < few[1] - few[0]
