"""Percentiles of histogram buckets, computed like Prometheus' histogram_quantile."""

from collections.abc import Mapping
from itertools import pairwise


def compute_percentile(buckets: Mapping[str, float], share: float) -> float | None:
    """Return the value below which a share (0-1) of the observations lies; None without observations.

    buckets: {upper edge as Prometheus labels it ("0.5", "+Inf"): cumulative count}. Values are assumed to be uniform
    within a bucket; above the last finite edge, that edge is returned.
    """
    edges = sorted((float(edge), count) for edge, count in buckets.items())
    if not edges or edges[-1][1] <= 0:
        return None
    target_count = share * edges[-1][1]
    for (low, below), (high, count) in pairwise([(0.0, 0.0), *edges]):
        if count >= target_count and count > below:
            return low if high == float("inf") else low + (high - low) * (target_count - below) / (count - below)
    return None
