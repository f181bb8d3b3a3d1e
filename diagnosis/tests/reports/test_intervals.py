"""The change test against published values, and the bootstrap's laws; coverage is simulated in `make bench-report`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.reports.bootstrap import bootstrap_share_intervals
from diagnosis.reports.intervals import newcombe_difference_interval


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe (1998), Interval estimation for the difference, table II, method 10; there first less second
        ((48, 80), (56, 70), -0.3339, -0.0524),
        ((3, 10), (9, 10), -0.8090, -0.1705),
        ((0, 10), (10, 10), -1.0000, -0.6075),
    ],
)
def test_the_difference_is_newcombes(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    interval = newcombe_difference_interval(second, first)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=0.0005)


def test_without_answers_there_is_no_difference() -> None:
    assert newcombe_difference_interval((0, 0), (3, 5)) is None


COUNT = st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(COUNT, COUNT)
def test_the_difference_lies_within_and_mirrors(first: tuple[int, int], second: tuple[int, int]) -> None:
    there, back = newcombe_difference_interval(first, second), newcombe_difference_interval(second, first)
    assert there is not None
    assert back is not None
    assert -1 <= there[0] <= second[0] / second[1] - first[0] / first[1] + 1e-12
    assert (-back[1], -back[0]) == pytest.approx(there, abs=1e-12)


def test_the_bootstrap_is_the_same_for_the_same_seed_and_knows_nothing_of_one_question() -> None:
    voices = [[3, 1], [2, 2], [0, 4], [1, 1], [5, 0], [2, 3]]
    assert (
        bootstrap_share_intervals(voices, 7)
        == bootstrap_share_intervals(voices, 7)
        != bootstrap_share_intervals(voices, 8)
    )
    (first, second) = bootstrap_share_intervals(voices, 7)
    assert first is not None
    assert second is not None
    assert first[0] < 13 / 24 < first[1]
    assert (1 - second[1], 1 - second[0]) == pytest.approx(first)
    assert bootstrap_share_intervals([[3, 1]], 7) == bootstrap_share_intervals([[0, 0], [0, 0]], 7) == [None, None]
    assert bootstrap_share_intervals([], 7) == []


def test_answers_that_hang_together_make_it_wider() -> None:
    apart, together = [[1, 1]] * 20, [[2, 0], [0, 2]] * 10
    (narrow, _), (wide, _) = bootstrap_share_intervals(apart, 1), bootstrap_share_intervals(together, 1)
    assert narrow == (0.5, 0.5)
    assert wide is not None
    assert wide[1] - wide[0] > 0.3
