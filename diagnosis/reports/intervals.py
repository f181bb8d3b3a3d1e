"""The statistics of a report, as plain functions of counts."""

from math import sqrt

Z_95 = 1.959963984540054


def wilson_interval(successes: float, trials: float, z: float = Z_95) -> tuple[float, float] | None:
    """Wilson's score interval of a proportion, 0-1; None without trials.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22.
    """
    if trials == 0:
        return None
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends the formula is exactly 0 and 1; floating point is not.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return low, high


def compute_rate(successes: int, trials: int) -> float | None:
    """A share, 0-1; None without trials: nothing asked is not 0 %."""
    return successes / trials if trials else None


def newcombe_difference_interval(
    first: tuple[float, float], second: tuple[float, float], z: float = Z_95
) -> tuple[float, float] | None:
    """The interval of the second proportion less the first, each (successes, trials); None without trials of either.

    Newcombe, R. G. (1998), Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17, 873-890, method 10: Wilson's intervals of both, squared and added.
    """
    first_interval, second_interval = wilson_interval(*first, z), wilson_interval(*second, z)
    if first_interval is None or second_interval is None:
        return None
    p1, p2 = first[0] / first[1], second[0] / second[1]
    low = p2 - p1 - sqrt((p2 - second_interval[0]) ** 2 + (first_interval[1] - p1) ** 2)
    high = p2 - p1 + sqrt((second_interval[1] - p2) ** 2 + (p1 - first_interval[0]) ** 2)
    return max(-1.0, low), min(1.0, high)
