"""The statistics of reports and trends, as pure functions of counts."""

from functools import lru_cache
from math import atan, cos, fsum, pi, sin, sqrt

from performance.intervals import Z_95, wilson_interval

CONFIDENCE_LEVEL = 0.95


def compute_rate(successes: int, trials: int) -> float | None:
    """Return the share, 0 to 1, or None without trials."""
    return successes / trials if trials else None


def compute_rate_interval(successes: int, trials: int) -> tuple[float, float] | tuple[None, None]:
    """Return Wilson's 95 % interval (low, high) of the share, or (None, None) without trials."""
    return wilson_interval(successes, trials) if trials else (None, None)


def newcombe_difference_interval(
    first: tuple[float, float], second: tuple[float, float], z: float = Z_95
) -> tuple[float, float]:
    """Return the interval of the second proportion minus the first, each (successes, trials) with trials > 0.

    Newcombe, R. G. (1998), Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17, 873-890, method 10: the root of the sum of squares of the distances to both Wilson's bounds.
    """
    first_low, first_high = wilson_interval(*first, z)
    second_low, second_high = wilson_interval(*second, z)
    first_share, second_share = first[0] / first[1], second[0] / second[1]
    low = second_share - first_share - sqrt((second_share - second_low) ** 2 + (first_high - first_share) ** 2)
    high = second_share - first_share + sqrt((second_high - second_share) ** 2 + (first_share - first_low) ** 2)
    return max(-1.0, low), min(1.0, high)


@lru_cache(maxsize=1024)
def student_t_quantile(confidence: float, degrees_of_freedom: int) -> float:
    """Return the t for which Student's distribution has the probability `confidence` in [-t, t]."""
    low, high = 0.0, 1.0
    while _student_t_coverage(high, degrees_of_freedom) < confidence:
        low, high = high, high * 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _student_t_coverage(middle, degrees_of_freedom) < confidence else (low, middle)
    return high


def _student_t_coverage(t: float, degrees_of_freedom: int) -> float:
    """Return the probability of [-t, t].

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = atan(t / sqrt(degrees_of_freedom))
    is_odd = degrees_of_freedom % 2
    term = cos(angle) if is_odd else 1.0
    terms = [term] if degrees_of_freedom > 1 else []
    for step in range(2 + is_odd, degrees_of_freedom, 2):
        term *= cos(angle) ** 2 * (step - 1) / step
        terms.append(term)
    return (angle + sin(angle) * fsum(terms)) * 2 / pi if is_odd else sin(angle) * fsum(terms)
