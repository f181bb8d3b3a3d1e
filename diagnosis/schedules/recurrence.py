"""Due times of schedules, in the site's time zone."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from django.utils import timezone

from diagnosis.models import Frequency

DAYS_PER_WEEK = 7


class Recurrence(Protocol):
    """The recurrence fields of a Schedule. weekday: 0 (Monday) to 6, if weekly; day: 1 to 31, if monthly."""

    every: str
    weekday: int | None
    day: int | None
    time: time


def can_coincide(one: Recurrence, other: Recurrence) -> bool:
    """Return whether both are due at the same time on every due day of one of them."""
    is_same_day = (one.every, one.weekday, one.day) == (other.every, other.weekday, other.day)
    return one.time == other.time and (is_same_day or Frequency.DAILY in (one.every, other.every))


def get_next_due_at(recurrence: Recurrence, after: datetime, zone: tzinfo | None = None) -> datetime:
    """Return the first due time after `after`, in UTC. zone: the site's by default.

    A month without the day uses its last one. A time that a clock change skips is moved forward by the change; of a
    time that occurs twice, the first is used.
    """
    zone = zone or timezone.get_default_timezone()
    for day in _iter_days(recurrence, after.astimezone(zone).date()):
        due_at = datetime.combine(day, recurrence.time, tzinfo=zone).astimezone(UTC)
        if due_at > after:
            return due_at
    raise AssertionError("a recurrence has no end")


def _iter_days(recurrence: Recurrence, start: date) -> Iterator[date]:
    """Yield the days of the recurrence, beginning in the week or month of `start`; the first may precede it."""
    if recurrence.every == Frequency.DAILY:
        while True:
            yield start
            start += timedelta(days=1)
    if recurrence.every == Frequency.WEEKLY:
        day = start + timedelta(days=((recurrence.weekday or 0) - start.weekday()) % DAYS_PER_WEEK)
        while True:
            yield day
            day += timedelta(days=DAYS_PER_WEEK)
    month_start = start.replace(day=1)
    while True:
        yield month_start.replace(day=min(recurrence.day or 1, monthrange(month_start.year, month_start.month)[1]))
        month_start = (month_start + timedelta(days=31)).replace(day=1)
