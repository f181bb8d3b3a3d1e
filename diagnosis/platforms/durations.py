"""How long calls take: from the latest answers of each platform, its concurrency and its rate.

`miniprogram/presentation/platforms.js` has the same formula for the forms; `testing/data/durations.json` tests both.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from math import ceil

from django.db import connection

from diagnosis.models import Platform
from diagnosis.platforms.limits import get_owner_limits

MAX_LATENCIES = 20  # of the latest answers of a platform

_LATENCIES_SQL = """
SELECT platform.id, latest.milliseconds
FROM diagnosis_platform AS platform
CROSS JOIN LATERAL (
    SELECT milliseconds, answered_at FROM diagnosis_answer
    WHERE platform_id = platform.id AND state = 'valid' AND NOT is_carried_over
        AND answered_at > now() - interval '7 days'
    ORDER BY answered_at DESC LIMIT %s
) AS latest
WHERE platform.id = ANY(%s) AND latest.milliseconds > 0
ORDER BY latest.answered_at
"""


def get_recent_latencies(platforms: Iterable[Platform]) -> dict[str, list[float]]:
    """Return {platform id: seconds of its latest valid answers}, oldest first; without an answer, its typical time.

    The list is empty if that is unknown, too.
    """
    rows = {platform.pk: platform for platform in platforms}
    latencies: dict[str, list[float]] = {pk: [] for pk in rows}
    with connection.cursor() as cursor:
        cursor.execute(_LATENCIES_SQL, [MAX_LATENCIES, list(rows)])
        for pk, milliseconds in cursor.fetchall():
            latencies[pk].append(milliseconds / 1000)
    for pk, platform in rows.items():
        if not latencies[pk] and platform.typical_seconds:
            latencies[pk] = [platform.typical_seconds]
    return latencies


def get_seconds_per_call(platforms: Iterable[Platform]) -> dict[str, float | None]:
    """Return {platform id: mean seconds of a call}; None if unknown."""
    latencies = get_recent_latencies(platforms)
    return {pk: sum(values) / len(values) if values else None for pk, values in latencies.items()}


def estimate_platform_seconds(platform: Platform, calls: int, seconds_per_call: float) -> float:
    """Return how long the calls take within an account's share of the platform's limits, when it has no others."""
    if calls == 0:
        return 0.0
    limits = get_owner_limits(platform)
    rate_wait_seconds = max(0, calls - limits.max_per_minute) * 60 / limits.max_per_minute
    return max(ceil(calls / limits.max_concurrent) * seconds_per_call, rate_wait_seconds + seconds_per_call)


def estimate_seconds(
    platforms: Iterable[Platform], calls: Mapping[str, int], seconds_per_call: Mapping[str, float | None]
) -> float | None:
    """Return how long the calls of all platforms take; None if a platform that has calls left is unknown."""
    longest = 0.0
    for platform in platforms:
        if not calls.get(platform.pk):
            continue
        seconds = seconds_per_call[platform.pk]
        if seconds is None:
            return None
        longest = max(longest, estimate_platform_seconds(platform, calls[platform.pk], seconds))
    return longest


class TimeLeft:
    """The time that a run still needs; learns from each answer, and never increases."""

    def __init__(self, platforms: Iterable[Platform]) -> None:
        self._platforms = list(platforms)
        recent = get_recent_latencies(self._platforms)
        self._latencies = {pk: deque(values, maxlen=MAX_LATENCIES) for pk, values in recent.items()}
        self._latest: int | None = None

    def observe(self, platform_id: str, milliseconds: int) -> None:
        """Take the latency of an answer into account."""
        if milliseconds:
            self._latencies[platform_id].append(milliseconds / 1000)

    def estimate(self, pending: Mapping[str, int], seconds_to_deadline: float) -> int | None:
        """Return the seconds until the pending calls are made, at most until the deadline; None if unknown."""
        means = {pk: sum(values) / len(values) if values else None for pk, values in self._latencies.items()}
        seconds = estimate_seconds(self._platforms, pending, means)
        if seconds is None:
            return None
        bounds = [seconds, max(0.0, seconds_to_deadline)]
        self._latest = ceil(min(bounds if self._latest is None else [*bounds, self._latest]))
        return self._latest
