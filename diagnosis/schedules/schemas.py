"""Request and response bodies of schedules."""

import datetime
import uuid
from decimal import Decimal
from typing import Literal

from ninja import Field, Schema
from pydantic import model_validator
from pydantic_core import PydanticCustomError

MAX_BUDGET_CALLS = 100_000
MAX_BUDGET_MONEY = 1_000_000


class RecurrenceIn(Schema):
    """Every day, a weekday of every week (0 is Monday), or a day of every month; short months use their last day."""

    every: Literal["daily", "weekly", "monthly"]
    weekday: int | None = Field(default=None, ge=0, le=6)
    day: int | None = Field(default=None, ge=1, le=31)
    time: datetime.time = Field(default=datetime.time(9), description="in the site's time zone, to the minute")

    @model_validator(mode="after")
    def _validate_day(self) -> "RecurrenceIn":
        needed = {"daily": None, "weekly": "weekday", "monthly": "day"}[self.every]
        if needed and getattr(self, needed) is None:
            raise PydanticCustomError("missing", "field required", {"field": needed})
        self.weekday = self.weekday if needed == "weekday" else None
        self.day = self.day if needed == "day" else None
        self.time = self.time.replace(second=0, microsecond=0, tzinfo=None)
        return self


class BudgetedRecurrenceIn(RecurrenceIn):
    """Times with the budget of a calendar month."""

    budget_calls: int = Field(ge=1, le=MAX_BUDGET_CALLS)
    budget_money: Decimal = Field(ge=0, le=MAX_BUDGET_MONEY, max_digits=9, decimal_places=2, description="yuan")
    confirm_duplicate: bool = Field(default=False, description="create it beside one of the same panel and time")


class EstimatedRecurrenceIn(RecurrenceIn):
    """Times with a budget that may be missing."""

    budget_calls: int | None = Field(default=None, ge=1, le=MAX_BUDGET_CALLS)
    budget_money: Decimal | None = Field(default=None, ge=0, le=MAX_BUDGET_MONEY, max_digits=9, decimal_places=2)


class ScheduleIn(BudgetedRecurrenceIn):
    """The diagnosis to repeat."""

    diagnosis: uuid.UUID
    repeats: int | None = Field(default=None, ge=1, le=5, description="default: as in the diagnosis")


class EstimateIn(EstimatedRecurrenceIn):
    """A schedule to estimate."""

    diagnosis: uuid.UUID
    repeats: int | None = Field(default=None, ge=1, le=5)


class PanelScheduleIn(BudgetedRecurrenceIn):
    """The panel to run at each time, in its version of that time."""

    panel: uuid.UUID


class PanelEstimateIn(EstimatedRecurrenceIn):
    """A schedule of a panel to estimate."""

    panel: uuid.UUID


class CostOut(Schema):
    """A number of calls, and an amount of money in yuan."""

    calls: int
    money: Decimal


class UnavailablePlatformOut(Schema):
    """A platform that cannot be called now. reason: localized; until: the end of its pause, null if it has no key."""

    id: str
    name: str
    reason: str
    until: datetime.datetime | None


class EstimateOut(Schema):
    """The estimated cost. month: of `runs` runs, the most that a calendar month can have; spent: in this month.

    refused: why the next run would be skipped ("budget_calls", "budget_money", "platforms"), otherwise "".
    unpriced: platforms without a price, which count as free. carries_month: whether the budget covers `month`.
    zone: the time zone of the schedule, in which `next_at` is to be shown. unavailable: platforms that cannot be called
    now. is_duplicate: whether a new schedule must be confirmed.
    """

    run: CostOut
    month: CostOut
    runs: int
    seconds: int | None
    unpriced: list[str]
    spent: CostOut
    refused: str
    carries_month: bool
    next_at: datetime.datetime
    zone: str
    unavailable: list[UnavailablePlatformOut]
    is_duplicate: bool = False


class ScheduleOut(Schema):
    """The current state of a schedule. skipped_at, skip_reason: of the latest run, if it was skipped.

    zone: the time zone of `time`, in which `next_at` is to be shown. slot_at, retry_until, wait_reason: a due time that
    could not be started for a passing reason; until then it is tried again, next at `next_at`.
    """

    id: uuid.UUID
    workspace: uuid.UUID | None
    panel: uuid.UUID | None = Field(description="whose current version is asked; null for a repeated diagnosis")
    brand: str
    competitors: list[str]
    questions: list[str]
    platforms: list[str]
    repeats: int
    demo: bool
    every: Literal["daily", "weekly", "monthly"]
    weekday: int | None
    day: int | None
    time: datetime.time
    zone: str
    next_at: datetime.datetime
    slot_at: datetime.datetime | None
    retry_until: datetime.datetime | None
    wait_reason: str
    is_paused: bool
    budget_calls: int
    budget_money: Decimal
    last_diagnosis: uuid.UUID | None
    skipped_at: datetime.datetime | None
    skip_reason: str
    created_at: datetime.datetime
    estimate: EstimateOut


class ScheduleList(Schema):
    """The caller's schedules, oldest first. most: the maximum number; zone: the time zone of their times."""

    items: list[ScheduleOut]
    most: int
    zone: str
