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
    """When: a weekday (0 is Monday) every week, or a day of every month, of which a short month takes its last."""

    every: Literal["weekly", "monthly"]
    weekday: int | None = Field(default=None, ge=0, le=6)
    day: int | None = Field(default=None, ge=1, le=31)
    time: datetime.time = Field(default=datetime.time(9), description="of the site's time zone, to the minute")

    @model_validator(mode="after")
    def _validate_day(self) -> "RecurrenceIn":
        needed, other = ("weekday", "day") if self.every == "weekly" else ("day", "weekday")
        if getattr(self, needed) is None:
            raise PydanticCustomError("missing", "field required", {"field": needed})
        setattr(self, other, None)
        self.time = self.time.replace(second=0, microsecond=0, tzinfo=None)
        return self


class ScheduleIn(RecurrenceIn):
    """What to repeat: the order of a diagnosis; and how much may be spent on it in a calendar month."""

    diagnosis: uuid.UUID
    repeats: int | None = Field(default=None, ge=1, le=5, description="as the diagnosis when it is left out")
    budget_calls: int = Field(ge=1, le=MAX_BUDGET_CALLS)
    budget_money: Decimal = Field(ge=0, le=MAX_BUDGET_MONEY, max_digits=9, decimal_places=2, description="yuan")


class EstimateIn(RecurrenceIn):
    """The same before a budget is decided on."""

    diagnosis: uuid.UUID
    repeats: int | None = Field(default=None, ge=1, le=5)
    budget_calls: int | None = Field(default=None, ge=1, le=MAX_BUDGET_CALLS)
    budget_money: Decimal | None = Field(default=None, ge=0, le=MAX_BUDGET_MONEY, max_digits=9, decimal_places=2)


class CostOut(Schema):
    """Calls and yuan."""

    calls: int
    money: Decimal


class EstimateOut(Schema):
    """Before a start. month: as many runs as a calendar month may have; spent: of this month.

    refused: why the next run would be left out ("budget_calls", "budget_money", "platforms"), "" when it would not.
    unpriced: platforms without a price, which count as free.
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


class ScheduleOut(Schema):
    """A schedule as it stands. skipped_at, skip_reason: the last run that was left out, until one is started again."""

    id: uuid.UUID
    brand: str
    competitors: list[str]
    questions: list[str]
    platforms: list[str]
    repeats: int
    demo: bool
    every: Literal["weekly", "monthly"]
    weekday: int | None
    day: int | None
    time: datetime.time
    next_at: datetime.datetime
    is_paused: bool
    budget_calls: int
    budget_money: Decimal
    last_diagnosis: uuid.UUID | None
    skipped_at: datetime.datetime | None
    skip_reason: str
    created_at: datetime.datetime
    estimate: EstimateOut


class ScheduleList(Schema):
    """All of the caller's, the oldest first; `most` is how many there may be, `zone` what their times are of."""

    items: list[ScheduleOut]
    most: int
    zone: str
