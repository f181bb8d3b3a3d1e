"""Daily totals of paid calls."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import date
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from diagnosis.models import PaidCall

TOKEN_FIELDS = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "searches")


@dataclass(frozen=True)
class SpendingChange:
    """What a call adds to the totals."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    searches: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: "SpendingChange") -> "SpendingChange":
        return SpendingChange(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


_NO_CHANGE = SpendingChange()
_COLUMNS = [field.name for field in fields(SpendingChange)]
# A row without an account conflicts with none, so those are inserted.
_UPSERT_SQL = f"""
INSERT INTO diagnosis_dailyspending AS known (day, platform_id, owner_id, purpose, {", ".join(_COLUMNS)})
SELECT * FROM unnest(%s::date[], %s::text[], %s::bigint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::numeric[])
ON CONFLICT (day, platform_id, owner_id, purpose) DO UPDATE SET
    {", ".join(f"{column} = known.{column} + excluded.{column}" for column in _COLUMNS)}
"""


def get_day(call: PaidCall) -> date:
    """Return the day of a call in the site's time zone."""
    return timezone.localtime(call.made_at, timezone.get_default_timezone()).date()


def add_to_daily_spending(changes: Iterable[tuple[PaidCall, SpendingChange]]) -> None:
    """Add the changes to the totals of the days on which the calls were made."""
    totals: dict[tuple[date, str, int | None, str], SpendingChange] = {}
    for call, change in changes:
        key = (get_day(call), call.platform_id, call.owner_id, call.purpose)
        totals[key] = totals.get(key, _NO_CHANGE) + change
    # Sorted in every process, to prevent deadlocks; None first.
    ordered = sorted(totals.items(), key=lambda item: (*item[0][:2], item[0][2] or 0, item[0][3]))
    rows = [(*key, *astuple(change)) for key, change in ordered if change != _NO_CHANGE]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_UPSERT_SQL, [list(column) for column in zip(*rows, strict=True)])
