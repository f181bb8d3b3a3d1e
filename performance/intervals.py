"""Confidence intervals of proportions, for reports and alert rules."""

from math import sqrt

Z_95 = 1.959963984540054


def wilson_interval(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """Return Wilson's score interval (low, high) of a proportion, within 0 and 1. `trials` must be positive.

    A share outside 0 and 1, as increases of two counters read at different moments can give, is clamped.
    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
    """
    share = min(1.0, max(0.0, successes / trials))
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half_width = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends the formula is exactly 0 and 1; floating point is not.
    low = 0.0 if share == 0 else max(0.0, middle - half_width)
    high = 1.0 if share == 1 else min(1.0, middle + half_width)
    return low, high
