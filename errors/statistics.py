"""How often errors were shown to users, exactly, by hour."""

from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum
from django.utils import timezone

from errors.models import ErrorCount


def get_first_hour(period: timedelta) -> datetime:
    """Return the begin of the first hour that belongs to a period until now: counts are kept by hour."""
    return (timezone.now() - period).replace(minute=0, second=0, microsecond=0)


def select_counts(period: timedelta, code: str = "") -> QuerySet[ErrorCount]:
    """Return the counts of a period until now, of one code or of all."""
    counts = ErrorCount.objects.filter(hour__gte=get_first_hour(period)).order_by()
    return counts.filter(code=code) if code else counts


def count_shown_errors(period: timedelta, code: str = "") -> int:
    """Return how often errors were shown to users."""
    shown = select_counts(period, code).filter(outcome="shown")
    return int(shown.aggregate(total=Sum("count", default=0))["total"])


def count_shown_by_code(period: timedelta, limit: int) -> list[tuple[str, int]]:
    """Return (code, how often it was shown to users), the most frequent first."""
    shown = select_counts(period).filter(outcome="shown")
    return list(shown.values_list("code").annotate(total=Sum("count")).order_by("-total", "code")[:limit])
