"""Significance of the change of a brand's rate between two diagnoses, on the cells that both have answers for."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import NormalDist
from typing import Literal

from diagnosis.reports.intervals import CONFIDENCE_LEVEL, newcombe_difference_interval, student_t_quantile

ChangeDirection = Literal["up", "down", "none"]


@dataclass(frozen=True)
class CellPair:
    """A question on a platform in two diagnoses; before, after: (answers that mention the brand, valid answers)."""

    question: str
    platform: str
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True)
class RateDifference:
    """Rates on the common cells, with the same weight of a cell in both diagnoses.

    before, after: 0 to 1. difference: after minus before; low, high: its interval. cells, questions: numbers of those
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
    """Return the difference of a brand's rate; None if no cell has valid answers in both diagnoses.

    At each end the wider of two intervals counts: Newcombe's for independent answers, and Student's over the questions,
    which remains valid if the answers to one question are correlated. With a single question, its platforms take the
    place of the questions; a single cell has Newcombe's interval only. docs/decisions/0009-significant-changes.md has
    the reasons, `make bench-report` measures the error rates.
    """
    compared_pairs = [pair for pair in pairs if pair.before[1] and pair.after[1]]
    if not compared_pairs:
        return None
    # Mantel and Haenszel's weights: a cell has the same weight in both, even if it lost answers in one.
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
    """Return (successes, trials) with the weighted mean rate of the cells and the same variance."""
    total = fsum(weights)
    rate = fsum(weight * named / valid for weight, (named, valid) in zip(weights, counts, strict=True)) / total
    trials = total**2 / fsum(weight**2 / valid for weight, (_named, valid) in zip(weights, counts, strict=True))
    return min(1.0, rate) * trials, trials


def _compute_clustered_half_width(
    pairs: Sequence[CellPair], weights: Sequence[float], mean_difference: float, confidence: float
) -> float:
    """Return the half-width of Student's interval of the mean difference, clustered by question; 0 for one cluster."""
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
