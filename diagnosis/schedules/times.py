"""When a schedule is due, in the site's time zone."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from django.utils import timezone

from diagnosis.schedules.models import Every

DAYS_OF_A_WEEK = 7


class Rhythm(Protocol):
    """What a Schedule says of its time: weekday 0-6 from Monday of a weekly one, day 1-31 of a monthly one."""

    every: str
    weekday: int | None
    day: int | None
    time: time


def next_slot(rhythm: Rhythm, after: datetime, zone: tzinfo | None = None) -> datetime:
    """The first time behind `after`, in UTC. zone: the site's own by default.

    A month that lacks the day takes its last one. An hour that the clocks leave out is as much later, one that comes
    twice is the first of the two.
    """
    zone = zone or timezone.get_default_timezone()
    for day in _days(rhythm, after.astimezone(zone).date()):
        slot = datetime.combine(day, rhythm.time, tzinfo=zone).astimezone(UTC)
        if slot > after:
            return slot
    raise AssertionError("a rhythm has no end")


def _days(rhythm: Rhythm, start: date) -> Iterator[date]:
    """The days of the rhythm from `start`, in whose own week or month they begin."""
    if rhythm.every == Every.WEEKLY:
        day = start + timedelta(days=((rhythm.weekday or 0) - start.weekday()) % DAYS_OF_A_WEEK)
        while True:
            yield day
            day += timedelta(days=DAYS_OF_A_WEEK)
    first = start.replace(day=1)
    while True:
        yield first.replace(day=min(rhythm.day or 1, monthrange(first.year, first.month)[1]))
        first = (first + timedelta(days=31)).replace(day=1)


def month_of(moment: datetime, zone: tzinfo | None = None) -> tuple[datetime, datetime]:
    """The calendar month of a moment in the site's time zone: its start and the start of the next one, in UTC."""
    zone = zone or timezone.get_default_timezone()
    first = moment.astimezone(zone).date().replace(day=1)
    behind = (first + timedelta(days=31)).replace(day=1)
    start, end = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, behind))
    return start, end
