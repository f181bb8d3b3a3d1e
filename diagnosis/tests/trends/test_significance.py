"""A change is called one only where the interval of the difference says so; how often it errs: `make bench-report`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.reports.intervals import newcombe_difference_interval, student_t_quantile
from diagnosis.trends.significance import CellPair, compute_rate_difference


@pytest.mark.parametrize(
    ("confidence", "freedom", "quantile"),
    # tables of Student's distribution, two-sided
    [(0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 10, 2.228), (0.95, 19, 2.093), (0.99, 5, 4.032)],
)
def test_the_quantiles_are_students(confidence: float, freedom: int, quantile: float) -> None:
    assert student_t_quantile(confidence, freedom) == pytest.approx(quantile, abs=0.0005)


def _pairs(before: list[int], after: list[int], each: int = 3) -> list[CellPair]:
    return [
        CellPair(str(n), "p", (one, each), (two, each)) for n, (one, two) in enumerate(zip(before, after, strict=True))
    ]


def test_a_rise_at_every_question_is_a_change() -> None:
    found = compute_rate_difference(_pairs([1] * 20, [2] * 20))
    assert found
    assert (found.changed, found.cells, found.questions, found.valid_before, found.valid_after) == (
        "up",
        20,
        20,
        60,
        60,
    )
    assert (found.before, found.after, found.difference) == pytest.approx((1 / 3, 2 / 3, 1 / 3))
    # All questions moved alike, so Newcombe's is the wider one.
    assert (found.low, found.high) == pytest.approx(newcombe_difference_interval((20, 60), (40, 60)))


def test_the_same_counts_from_two_questions_that_turned_are_none() -> None:
    """The answers to a question hang together: two of four questions say little, however many answers there are."""
    turned = compute_rate_difference(_pairs([0, 0, 0, 0], [30, 30, 0, 0], each=30))
    assert turned
    assert newcombe_difference_interval((0, 120), (60, 120))[0] > 0
    assert (turned.changed, turned.difference) == ("none", 0.5)
    assert turned.low < 0 < turned.high


def test_a_single_question_is_judged_by_its_platforms() -> None:
    pairs = [CellPair("q", str(n), (0, 30), (after, 30)) for n, after in enumerate([30, 30, 0, 0])]
    found = compute_rate_difference(pairs)
    assert found
    assert found.changed == "none"
    (alone,) = [compute_rate_difference(pairs[:1])]
    assert alone
    assert alone.changed == "up"


def test_what_only_one_of_the_two_answered_counts_for_nothing() -> None:
    common = _pairs([1, 1, 1], [1, 1, 1])
    lost = [CellPair("lost", "p", (3, 3), (0, 0)), CellPair("new", "p", (0, 0), (3, 3))]
    assert compute_rate_difference(common + lost) == compute_rate_difference(common)
    assert compute_rate_difference(lost) is None
    assert compute_rate_difference([]) is None


def test_a_cell_that_lost_answers_weighs_the_same_in_both() -> None:
    """Half of the answers of the question that always names the brand are missing: nobody named it less."""
    found = compute_rate_difference(
        [CellPair("always", "p", (10, 10), (5, 5)), CellPair("never", "p", (0, 10), (0, 10))]
    )
    assert found
    assert found.difference == pytest.approx(0)


COUNTS = st.integers(1, 5).flatmap(lambda valid: st.tuples(st.integers(0, valid), st.just(valid)))
PAIRS = st.lists(st.builds(CellPair, st.sampled_from("abcdef"), st.sampled_from("xyz"), COUNTS, COUNTS), min_size=1)


@given(PAIRS)
def test_it_lies_within_and_mirrors(pairs: list[CellPair]) -> None:
    there = compute_rate_difference(pairs)
    back = compute_rate_difference([CellPair(pair.question, pair.platform, pair.after, pair.before) for pair in pairs])
    assert there
    assert back
    assert -1 <= there.low <= there.difference + 1e-12
    assert there.difference - 1e-12 <= there.high <= 1
    assert (-back.high, -back.low) == pytest.approx((there.low, there.high), abs=1e-9)
    assert there.changed == {"up": "down", "down": "up", "none": "none"}[back.changed]


@given(PAIRS)
def test_a_stricter_confidence_calls_nothing_more(pairs: list[CellPair]) -> None:
    usual, strict = compute_rate_difference(pairs), compute_rate_difference(pairs, 0.995)
    assert usual
    assert strict
    assert strict.low <= usual.low
    assert strict.high >= usual.high
