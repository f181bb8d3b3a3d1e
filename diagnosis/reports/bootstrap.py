"""The interval of the share of voice, by resampling questions: answers to one question are correlated."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy

from diagnosis.reports.intervals import student_t_quantile

RESAMPLE_COUNT = 2000


def bootstrap_share_intervals(mention_counts: Sequence[Sequence[int]], seed: int) -> list[tuple[float, float] | None]:
    """Return the 95 % interval of each brand's share of all mentions, 0 to 1.

    `mention_counts` has a row per question and a column per brand: the number of answers that mention the brand.
    None with fewer than two questions or without mentions. The same seed gives the same intervals.

    Percentile bootstrap over clusters (Davison and Hinkley 1997, 3.8). With few clusters its tails are widened as in
    Student's t (Hesterberg 2015, What teachers should know about the bootstrap, 5.3).
    """
    if len(mention_counts) < 2 or not any(map(any, mention_counts)):
        return [None] * len(mention_counts[0]) if mention_counts else []
    counts = numpy.asarray(mention_counts, dtype=numpy.float64)
    question_count, brand_count = counts.shape
    draws = numpy.random.default_rng(seed).multinomial(
        question_count, [1 / question_count] * question_count, size=RESAMPLE_COUNT
    )
    sums = draws @ counts
    totals = sums.sum(axis=1, keepdims=True)
    has_mentions = totals[:, 0] > 0
    shares = sums[has_mentions] / totals[has_mentions]
    if not len(shares):
        return [None] * brand_count
    # The variance of a resample is too small by the factor (n-1)/n.
    widening = (question_count / (question_count - 1)) ** 0.5
    tail_probability = NormalDist().cdf(-widening * student_t_quantile(0.95, question_count - 1))
    low, high = numpy.quantile(shares, [tail_probability, 1 - tail_probability], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
