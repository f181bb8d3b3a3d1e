"""Wilson's interval against published values and its mathematical properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from performance.intervals import wilson_interval


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
def test_wilson_interval_equals_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=0.00005)


def test_wilson_interval_with_another_confidence() -> None:
    assert wilson_interval(81, 263, z=1.0) == pytest.approx((0.2803, 0.3372), abs=0.0005)


def test_share_above_one_is_clamped() -> None:
    assert wilson_interval(12, 10) == wilson_interval(10, 10)


@given(st.integers(1, 2000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_interval_contains_the_share_and_is_symmetric(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert (low == 0) == (successes == 0)
    assert (high == 1) == (successes == trials)
    assert (1 - high, 1 - low) == pytest.approx(wilson_interval(trials - successes, trials), abs=1e-12)


@given(st.integers(0, 50), st.integers(1, 50), st.integers(2, 20))
def test_wilson_interval_narrows_with_more_trials(successes: int, failures: int, factor: int) -> None:
    trials = successes + failures
    low, high = wilson_interval(successes, trials)
    low_of_more, high_of_more = wilson_interval(successes * factor, trials * factor)
    assert high_of_more - low_of_more < high - low
