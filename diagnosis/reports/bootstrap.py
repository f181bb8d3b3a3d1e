"""Share of voice with its interval: questions are drawn again, for answers to one question hang together."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy
from numpy.typing import NDArray

RESAMPLE_COUNT = 2000
CountMatrix = NDArray[numpy.float64]


def bootstrap_share_intervals(mention_counts: Sequence[Sequence[int]], seed: int) -> list[tuple[float, float] | None]:
    """Each brand's 95 % interval of its share of all voices, 0-1; None with less than two questions, or no voice.

    voices: one row a question, one column a brand: how many of the question's answers name it. seed: the same seed
    gives the same interval. Percentile bootstrap over clusters (Davison and Hinkley 1997, 3.8), its tails widened for
    few of them as Student's t is (Hesterberg 2015, What teachers should know about the bootstrap, 5.3).
    """
    if len(mention_counts) < 2 or not any(map(any, mention_counts)):
        return [None] * len(mention_counts[0]) if mention_counts else []
    counts = numpy.asarray(mention_counts, dtype=numpy.float64)
    question_count, brand_count = counts.shape
    shares = _resample_shares(counts, seed)
    if not len(shares):
        return [None] * brand_count
    tail_probability = _get_tail_probability(question_count)
    low, high = numpy.quantile(shares, [tail_probability, 1 - tail_probability], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _resample_shares(counts: CountMatrix, seed: int) -> CountMatrix:
    """One row a resample, one column a brand; resamples without any voice are left out."""
    question_count = len(counts)
    draws = numpy.random.default_rng(seed).multinomial(
        question_count, [1 / question_count] * question_count, size=RESAMPLE_COUNT
    )
    sums = draws @ counts
    totals = sums.sum(axis=1, keepdims=True)
    has_mentions = totals[:, 0] > 0
    shares: CountMatrix = sums[has_mentions] / totals[has_mentions]
    return shares


def _get_tail_probability(question_count: int) -> float:
    """The share of the resamples beyond each end. The spread of a resample is too small by (n-1)/n."""
    degrees_of_freedom = question_count - 1
    return NormalDist().cdf(
        -((question_count / degrees_of_freedom) ** 0.5) * _approximate_student_t_975(degrees_of_freedom)
    )


def _approximate_student_t_975(degrees_of_freedom: int) -> float:
    """The 97.5 % point of Student's t: the table up to 3, then Hill's expansion (1970, CACM 396), good to 0.01."""
    table = {1: 12.706, 2: 4.303, 3: 3.182}
    if degrees_of_freedom in table:
        return table[degrees_of_freedom]
    z = NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees_of_freedom + second / degrees_of_freedom**2 + third / degrees_of_freedom**3
