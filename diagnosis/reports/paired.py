"""Paired comparison of two brands on the same answers.

Each answer mentions both brands, one of them, or none. Only the answers that mention one of them tell the brands apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt
from statistics import NormalDist
from typing import Literal

from diagnosis.reports.intervals import student_t_quantile
from performance.intervals import wilson_interval

MIN_QUESTIONS_FOR_INDEPENDENCE = 5  # measured by `make bench-report`: with fewer, equal brands differ too often

ComparisonMethod = Literal["mcnemar", "mcnemar_by_question"]


@dataclass(frozen=True)
class PairedAnswer:
    """An answer to a question, and whether it mentions the first and the second brand."""

    question: str
    first: bool
    second: bool


@dataclass(frozen=True)
class PairedDifference:
    """The first brand's mention rate minus the second's, with its interval at `confidence`.

    only_first, only_second: answers that mention one of the two. p_value: of McNemar's exact test. is_significant: the
    interval excludes 0, for which both the test and, with several questions, the differences by question must agree.
    """

    difference: float
    low: float
    high: float
    confidence: float
    p_value: float
    only_first: int
    only_second: int
    answers: int
    questions: int
    method: ComparisonMethod

    @property
    def is_significant(self) -> bool:
        return not self.low <= 0 <= self.high


def compare_paired(answers: Sequence[PairedAnswer], confidence: float = 0.95) -> PairedDifference | None:
    """Return the difference of the mention rates, None without answers.

    At each end the wider of two intervals counts: Newcombe's for paired proportions and, unless the answers to one
    question are as different as those to several, Student's over the questions, which remains valid if they are
    correlated. A single question has Newcombe's only. When the exact test does not reject equality, the interval is
    extended to 0, so that interval and test never disagree.
    """
    if not answers:
        return None
    counts = Counter((answer.first, answer.second) for answer in answers)
    only_first, only_second = counts[True, False], counts[False, True]
    difference = (only_first - only_second) / len(answers)
    low, high = newcombe_paired_interval(counts[True, True], only_first, only_second, counts[False, False], confidence)
    half_width = _compute_half_width_by_question(answers, difference, confidence)
    if half_width:
        low, high = min(low, max(-1.0, difference - half_width)), max(high, min(1.0, difference + half_width))
    p_value = mcnemar_exact_p_value(only_first, only_second)
    if p_value > 1 - confidence + 1e-12:
        low, high = min(low, 0.0), max(high, 0.0)
    return PairedDifference(
        difference=difference,
        low=low,
        high=high,
        confidence=confidence,
        p_value=p_value,
        only_first=only_first,
        only_second=only_second,
        answers=len(answers),
        questions=len({answer.question for answer in answers}),
        method="mcnemar_by_question" if half_width else "mcnemar",
    )


def mcnemar_exact_p_value(only_first: int, only_second: int) -> float:
    """Return the two-sided p of the exact test that both discordant counts have the same expectation.

    McNemar, Q. (1947), Psychometrika 12, 153-157, with the exact binomial distribution instead of chi-squared: twice
    the smaller tail of Binomial(only_first + only_second, 1/2), at most 1.
    """
    discordant = only_first + only_second
    tail = sum(comb(discordant, count) for count in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << discordant))


def newcombe_paired_interval(
    both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the first proportion minus the second, both over the same answers.

    Newcombe, R. G. (1998), Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17, 2635-2650, method 10: the distances to both Wilson's bounds, combined with
    their correlation phi, which has a continuity correction when it is positive.
    """
    total = both + only_first + only_second + neither
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    first, second = (both + only_first) / total, (both + only_second) / total
    first_low, first_high = wilson_interval(both + only_first, total, z)
    second_low, second_high = wilson_interval(both + only_second, total, z)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    numerator: float = both * neither - only_first * only_second
    if numerator > 0:
        numerator = max(0.0, numerator - total / 2)
    phi = numerator / sqrt(margins) if margins else 0.0

    def combine(distance: float, other: float) -> float:
        return sqrt(max(0.0, distance * distance - 2 * phi * distance * other + other * other))

    difference = first - second
    return (
        max(-1.0, difference - combine(first - first_low, second_high - second)),
        min(1.0, difference + combine(first_high - first, second - second_low)),
    )


def _compute_half_width_by_question(answers: Sequence[PairedAnswer], difference: float, confidence: float) -> float:
    """Return the half-width of Student's interval of the mean difference, with a cluster per question.

    Return 0 if the questions differ no more than independent answers would, which few questions cannot show. Otherwise
    the variance is the jackknife's over clusters (CV3), which keeps the error rate with few of them: MacKinnon, J. G.,
    Nielsen, M. O. and Webb, M. D. (2023), Cluster-robust inference, Journal of Econometrics 232, 272-299.
    """
    deviations: dict[str, float] = {}
    squares_of_answers = 0.0
    for answer in answers:
        deviation = answer.first - answer.second - difference
        deviations[answer.question] = deviations.get(answer.question, 0.0) + deviation
        squares_of_answers += deviation**2
    answer_count, count = len(answers), len(deviations)
    if count < 2:
        return 0.0
    squares = fsum(value * value for value in deviations.values())
    is_independent = squares * count / (count - 1) <= squares_of_answers * answer_count / (answer_count - 1)
    if is_independent and count >= MIN_QUESTIONS_FOR_INDEPENDENCE:
        return 0.0
    return student_t_quantile(confidence, count - 1) * sqrt(squares) / answer_count * count / (count - 1)
