"""When a schedule is due, in the site's time zone."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from django.utils import timezone

from diagnosis.models import Frequency

DAYS_PER_WEEK = 7


class Recurrence(Protocol):
    """What a Schedule says of its time: weekday 0-6 from Monday of a weekly one, day 1-31 of a monthly one."""

    every: str
    weekday: int | None
    day: int | None
    time: time


def get_next_due_at(recurrence: Recurrence, after: datetime, zone: tzinfo | None = None) -> datetime:
    """The first time behind `after`, in UTC. zone: the site's own by default.

    A month that lacks the day takes its last one. An hour that the clocks leave out is as much later, one that comes
    twice is the first of the two.
    """
    zone = zone or timezone.get_default_timezone()
    for day in _iter_days(recurrence, after.astimezone(zone).date()):
        due_at = datetime.combine(day, recurrence.time, tzinfo=zone).astimezone(UTC)
        if due_at > after:
            return due_at
    raise AssertionError("a rhythm has no end")


def _iter_days(recurrence: Recurrence, start: date) -> Iterator[date]:
    """The days of the rhythm from `start`, in whose own week or month they begin."""
    if recurrence.every == Frequency.WEEKLY:
        day = start + timedelta(days=((recurrence.weekday or 0) - start.weekday()) % DAYS_PER_WEEK)
        while True:
            yield day
            day += timedelta(days=DAYS_PER_WEEK)
    month_start = start.replace(day=1)
    while True:
        yield month_start.replace(day=min(recurrence.day or 1, monthrange(month_start.year, month_start.month)[1]))
        month_start = (month_start + timedelta(days=31)).replace(day=1)


def get_month_bounds(moment: datetime, zone: tzinfo | None = None) -> tuple[datetime, datetime]:
    """The calendar month of a moment in the site's time zone: its start and the start of the next one, in UTC."""
    zone = zone or timezone.get_default_timezone()
    first = moment.astimezone(zone).date().replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    start, end = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, next_first))
    return start, end
