"""Confidence intervals of proportions, for reports and alert rules."""

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

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


# From here on Wilson's interval and the exact one agree to a percent of the share.
_MAX_EXACT_TRIALS = 300
_BISECTIONS = 30


def binomial_tail(successes: int, trials: int, share: float) -> float:
    """Return the probability of at least this many successes; exact where that is below one half."""
    if successes <= trials * share or not 0 < share < 1:
        return 1.0 if successes <= trials * share else float(share >= 1)
    term = total = exp(
        lgamma(trials + 1)
        - lgamma(successes + 1)
        - lgamma(trials - successes + 1)
        + successes * log(share)
        + (trials - successes) * log1p(-share)
    )
    odds = share / (1 - share)
    for number in range(successes, trials):
        term *= (trials - number) / (number + 1) * odds
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


@lru_cache(maxsize=4096)
def exact_interval(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return the interval (low, high) whose bounds each hold with this confidence, within 0 and 1.

    Exact, which matters where few trials meet a small share: there Wilson's lower bound is passed by chance several
    times as often as it promises. Clopper, C. J., Pearson, E. S. (1934), The use of confidence or fiducial limits
    illustrated in the case of the binomial, Biometrika 26, 404-413. Above _MAX_EXACT_TRIALS it is Wilson's.
    """
    if trials > _MAX_EXACT_TRIALS:
        return wilson_interval(successes, trials, NormalDist().inv_cdf(confidence))
    return _find_low_bound(successes, trials, confidence), 1 - _find_low_bound(trials - successes, trials, confidence)


def _find_low_bound(successes: int, trials: int, confidence: float) -> float:
    if successes == 0:
        return 0.0
    low, high = 0.0, successes / trials
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if binomial_tail(successes, trials, middle) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low
