"""Share of voice with its interval: questions are drawn again, for answers to one question hang together."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy
from numpy.typing import NDArray

RESAMPLES = 2000
Counts = NDArray[numpy.float64]


def share_intervals(voices: Sequence[Sequence[int]], seed: int) -> list[tuple[float, float] | None]:
    """Each brand's 95 % interval of its share of all voices, 0-1; None with less than two questions, or no voice.

    voices: one row a question, one column a brand: how many of the question's answers name it. seed: the same seed
    gives the same interval. Percentile bootstrap over clusters (Davison and Hinkley 1997, 3.8), its tails widened for
    few of them as Student's t is (Hesterberg 2015, What teachers should know about the bootstrap, 5.3).
    """
    if len(voices) < 2 or not any(map(any, voices)):
        return [None] * len(voices[0]) if voices else []
    counts = numpy.asarray(voices, dtype=numpy.float64)
    questions, brands = counts.shape
    shares = _resample(counts, seed)
    if not len(shares):
        return [None] * brands
    tail = _tail(questions)
    low, high = numpy.quantile(shares, [tail, 1 - tail], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _resample(counts: Counts, seed: int) -> Counts:
    """One row a resample, one column a brand; resamples without any voice are left out."""
    questions = len(counts)
    draws = numpy.random.default_rng(seed).multinomial(questions, [1 / questions] * questions, size=RESAMPLES)
    sums = draws @ counts
    totals = sums.sum(axis=1, keepdims=True)
    has_voice = totals[:, 0] > 0
    shares: Counts = sums[has_voice] / totals[has_voice]
    return shares


def _tail(questions: int) -> float:
    """The share of the resamples beyond each end. The spread of a resample is too small by (n-1)/n."""
    freedom = questions - 1
    return NormalDist().cdf(-((questions / freedom) ** 0.5) * _student_t(freedom))


def _student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t: the table up to 3, then Hill's expansion (1970, CACM 396), good to 0.01."""
    table = {1: 12.706, 2: 4.303, 3: 3.182}
    if freedom in table:
        return table[freedom]
    z = NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
