"""Has a rate changed between two diagnoses? Told on what both asked, by an interval that no accident makes narrow."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import NormalDist
from typing import Literal

from diagnosis.reports.intervals import newcombe_difference_interval, student_t_quantile

CONFIDENCE_LEVEL = 0.95

ChangeDirection = Literal["up", "down", "none"]


@dataclass(frozen=True)
class CellPair:
    """A question at a platform in two diagnoses; before, after: (answers that name the brand, valid answers)."""

    question: str
    platform: str
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True)
class RateDifference:
    """The rates on what both diagnoses have answers for, each cell with the same weight in both, and what changed.

    before, after: 0-1; difference: after less before, low and high its interval. cells, questions: how many were
    compared; valid_before, valid_after: their valid answers.
    """

    before: float
    after: float
    difference: float
    low: float
    high: float
    changed: ChangeDirection
    cells: int
    questions: int
    valid_before: int
    valid_after: int


def compute_rate_difference(pairs: Sequence[CellPair], confidence: float = CONFIDENCE_LEVEL) -> RateDifference | None:
    """The difference of a brand's rate; None where no cell has valid answers in both.

    Two intervals are made and the wider one counts at each end: Newcombe's of independent answers, and the one of the
    differences of the questions, which also holds where the answers to a question hang together within a diagnosis.
    For a single question its platforms take their place; one question at one platform has only the first.
    docs/decisions/0009-significant-changes.md tells why, `make bench-report` how often either is wrong.
    """
    compared_pairs = [pair for pair in pairs if pair.before[1] and pair.after[1]]
    if not compared_pairs:
        return None
    # Mantel and Haenszel's weights: a cell that lost answers in one of the two weighs the same in both.
    weights = [pair.before[1] * pair.after[1] / (pair.before[1] + pair.after[1]) for pair in compared_pairs]
    before = _weighted_counts(weights, [pair.before for pair in compared_pairs])
    after = _weighted_counts(weights, [pair.after for pair in compared_pairs])
    newcombe_interval = newcombe_difference_interval(before, after, NormalDist().inv_cdf((1 + confidence) / 2))
    mean_difference = after[0] / after[1] - before[0] / before[1]
    half_width = _compute_clustered_half_width(compared_pairs, weights, mean_difference, confidence)
    low, high = (
        min(newcombe_interval[0], max(-1.0, mean_difference - half_width)),
        max(newcombe_interval[1], min(1.0, mean_difference + half_width)),
    )
    return RateDifference(
        before=before[0] / before[1],
        after=after[0] / after[1],
        difference=mean_difference,
        low=low,
        high=high,
        changed="up" if low > 0 else "down" if high < 0 else "none",
        cells=len(compared_pairs),
        questions=len({pair.question for pair in compared_pairs}),
        valid_before=sum(pair.before[1] for pair in compared_pairs),
        valid_after=sum(pair.after[1] for pair in compared_pairs),
    )


def _weighted_counts(weights: Sequence[float], counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """(successes, trials) whose rate is the weighted mean of the cells', and as sure as that is."""
    total = fsum(weights)
    rate = fsum(weight * named / valid for weight, (named, valid) in zip(weights, counts, strict=True)) / total
    trials = total**2 / fsum(weight**2 / valid for weight, (_named, valid) in zip(weights, counts, strict=True))
    return min(1.0, rate) * trials, trials


def _compute_clustered_half_width(
    pairs: Sequence[CellPair], weights: Sequence[float], mean_difference: float, confidence: float
) -> float:
    """Of Student's interval of the mean difference, a question being one draw; 0 where there is but one."""
    has_questions = len({pair.question for pair in pairs}) > 1
    group_deviations: dict[str, float] = {}
    for pair, weight in zip(pairs, weights, strict=True):
        cell_difference = pair.after[0] / pair.after[1] - pair.before[0] / pair.before[1]
        group = pair.question if has_questions else pair.platform
        group_deviations[group] = group_deviations.get(group, 0.0) + weight * (cell_difference - mean_difference)
    count = len(group_deviations)
    if count < 2:
        return 0.0
    squares = fsum(value * value for value in group_deviations.values()) / fsum(weights) ** 2
    return student_t_quantile(confidence, count - 1) * sqrt(squares * count / (count - 1))
