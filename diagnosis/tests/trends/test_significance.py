"""Significance of changes; `make bench-report` measures the error rates."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.reports.intervals import newcombe_difference_interval, student_t_quantile
from diagnosis.trends.significance import CellPair, compute_rate_difference


@pytest.mark.parametrize(
    ("confidence", "degrees_of_freedom", "quantile"),
    # tables of Student's distribution, two-sided
    [(0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 10, 2.228), (0.95, 19, 2.093), (0.99, 5, 4.032)],
)
def test_student_t_quantile_equals_published_tables(
    confidence: float, degrees_of_freedom: int, quantile: float
) -> None:
    assert student_t_quantile(confidence, degrees_of_freedom) == pytest.approx(quantile, abs=0.0005)


def _pairs(before: list[int], after: list[int], each: int = 3) -> list[CellPair]:
    return [
        CellPair(str(number), "p", (earlier, each), (later, each))
        for number, (earlier, later) in enumerate(zip(before, after, strict=True))
    ]


def test_rise_at_every_question_is_significant() -> None:
    difference = compute_rate_difference(_pairs([1] * 20, [2] * 20))
    assert difference
    assert (
        difference.changed,
        difference.cells,
        difference.questions,
        difference.valid_before,
        difference.valid_after,
    ) == (
        "up",
        20,
        20,
        60,
        60,
    )
    assert (difference.before, difference.after, difference.difference) == pytest.approx((1 / 3, 2 / 3, 1 / 3))
    # All questions changed equally, so Newcombe's interval is the wider one.
    assert (difference.low, difference.high) == pytest.approx(newcombe_difference_interval((20, 60), (40, 60)))


def test_rise_at_two_of_four_questions_is_not_significant() -> None:
    """Answers to one question are correlated, so two of four questions prove little with any number of answers."""
    difference = compute_rate_difference(_pairs([0, 0, 0, 0], [30, 30, 0, 0], each=30))
    assert difference
    assert newcombe_difference_interval((0, 120), (60, 120))[0] > 0
    assert (difference.changed, difference.difference) == ("none", 0.5)
    assert difference.low < 0 < difference.high


def test_single_question_is_clustered_by_platform() -> None:
    pairs = [CellPair("q", str(n), (0, 30), (after, 30)) for n, after in enumerate([30, 30, 0, 0])]
    difference = compute_rate_difference(pairs)
    assert difference
    assert difference.changed == "none"
    single_cell = compute_rate_difference(pairs[:1])
    assert single_cell
    assert single_cell.changed == "up"


def test_cells_without_answers_in_both_are_ignored() -> None:
    common = _pairs([1, 1, 1], [1, 1, 1])
    lost = [CellPair("lost", "p", (3, 3), (0, 0)), CellPair("new", "p", (0, 0), (3, 3))]
    assert compute_rate_difference(common + lost) == compute_rate_difference(common)
    assert compute_rate_difference(lost) is None
    assert compute_rate_difference([]) is None


def test_cell_with_fewer_answers_has_the_same_weight_in_both() -> None:
    """The question whose answers always mention the brand lost half of them, which is no change."""
    difference = compute_rate_difference(
        [CellPair("always", "p", (10, 10), (5, 5)), CellPair("never", "p", (0, 10), (0, 10))]
    )
    assert difference
    assert difference.difference == pytest.approx(0)


COUNTS = st.integers(1, 5).flatmap(lambda valid: st.tuples(st.integers(0, valid), st.just(valid)))
PAIRS = st.lists(st.builds(CellPair, st.sampled_from("abcdef"), st.sampled_from("xyz"), COUNTS, COUNTS), min_size=1)


@given(PAIRS)
def test_interval_contains_the_difference_and_is_symmetric(pairs: list[CellPair]) -> None:
    difference = compute_rate_difference(pairs)
    inverse = compute_rate_difference(
        [CellPair(pair.question, pair.platform, pair.after, pair.before) for pair in pairs]
    )
    assert difference
    assert inverse
    assert -1 <= difference.low <= difference.difference + 1e-12
    assert difference.difference - 1e-12 <= difference.high <= 1
    assert (-inverse.high, -inverse.low) == pytest.approx((difference.low, difference.high), abs=1e-9)
    assert difference.changed == {"up": "down", "down": "up", "none": "none"}[inverse.changed]


@given(PAIRS)
def test_higher_confidence_widens_the_interval(pairs: list[CellPair]) -> None:
    usual, strict = compute_rate_difference(pairs), compute_rate_difference(pairs, 0.995)
    assert usual
    assert strict
    assert strict.low <= usual.low
    assert strict.high >= usual.high


def test_at_most_six_in_a_hundred_runs_without_a_change_claim_one() -> None:
    """Digests test three brands together; the answers to a question are correlated, as within a run they are."""
    rng = random.Random(20261130)
    confidence = 1 - (1 - 0.95) / 3
    questions, repeats, trials = 10, 6, 2000

    def count(chance: float) -> tuple[int, int]:
        of_run = rng.betavariate(chance * 3, (1 - chance) * 3)
        return sum(rng.random() < of_run for _ in range(repeats)), repeats

    def claims_a_change() -> bool:
        for chance in (0.5, 0.4, 0.25):
            pairs = [CellPair(str(number), "p", count(chance), count(chance)) for number in range(questions)]
            difference = compute_rate_difference(pairs, confidence)
            assert difference
            if difference.changed != "none":
                return True
        return False

    assert sum(claims_a_change() for _ in range(trials)) / trials <= 0.06
