"""Schedules start each due time once, make one run for missed ones, and stay within their budget."""

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from diagnosis import tasks
from diagnosis.choices import CallPurpose, ClientKind
from diagnosis.models import AccountBudget, BudgetUse, Diagnosis, Frequency, Platform, Schedule
from diagnosis.running.state_machine import end_diagnosis
from diagnosis.schedules import runner
from diagnosis.schedules.estimates import (
    MAX_RUNS_PER_MONTH,
    ZERO_COST,
    Cost,
    get_offered_platforms,
    get_spent_this_month,
)
from diagnosis.schedules.recurrence import get_next_due_at
from diagnosis.schedules.runner import start_due_schedules
from diagnosis.schedules.services import set_paused
from diagnosis.spending.budgets import get_month
from diagnosis.spending.ledger import CallRequest, reserve, settle
from diagnosis.spending.pricing import NOTHING
from testing.data.diagnoses import (
    make_diagnosis,
    make_platform,
    make_schedule,
    make_user,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db

Notification = apps.get_model("diagsite", "Notification")  # of a higher layer
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@dataclass
class Rhythm:
    """The recurrence fields of a schedule, without a row."""

    every: str
    weekday: int | None = None
    day: int | None = None
    time: time = time(9)


def _slots(rhythm: Rhythm, start: datetime, zone: ZoneInfo, count: int = 4) -> list[str]:
    slots = []
    for _number in range(count):
        start = get_next_due_at(rhythm, start, zone)
        slots.append(f"{start.astimezone(zone):%m-%d %H:%M}")
    return slots


def test_weekly_recurrence_uses_the_weekday() -> None:
    monday = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
    rhythm = Rhythm(Frequency.WEEKLY, weekday=0)
    assert _slots(rhythm, monday, SHANGHAI, 2) == ["03-09 09:00", "03-16 09:00"]
    assert _slots(rhythm, monday - timedelta(seconds=1), SHANGHAI, 1) == ["03-02 09:00"]
    assert _slots(Rhythm(Frequency.WEEKLY, weekday=6), monday, SHANGHAI, 1) == ["03-08 09:00"]


def test_short_month_uses_its_last_day() -> None:
    rhythm = Rhythm(Frequency.MONTHLY, day=31)
    start = datetime(2028, 1, 1, tzinfo=UTC)
    assert _slots(rhythm, start, SHANGHAI) == ["01-31 09:00", "02-29 09:00", "03-31 09:00", "04-30 09:00"]


def test_daily_recurrence_keeps_the_hour_when_clocks_change() -> None:
    daily = Rhythm(Frequency.DAILY, time=time(2, 30))
    start = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert _slots(daily, start, BERLIN, 3) == ["03-28 02:30", "03-29 03:30", "03-30 02:30"]


def test_local_hour_is_kept_when_clocks_change() -> None:
    """Berlin, on 2026-03-29 and 2026-10-25."""
    weekly = Rhythm(Frequency.WEEKLY, weekday=6)
    assert _slots(weekly, datetime(2026, 3, 20, tzinfo=UTC), BERLIN, 3) == ["03-22 09:00", "03-29 09:00", "04-05 09:00"]
    left_out = Rhythm(Frequency.WEEKLY, weekday=6, time=time(2, 30))
    assert _slots(left_out, datetime(2026, 3, 28, tzinfo=UTC), BERLIN, 2) == ["03-29 03:30", "04-05 02:30"]
    start = datetime(2026, 10, 24, tzinfo=UTC)
    first = get_next_due_at(left_out, start, BERLIN)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the first of the two
    assert get_next_due_at(left_out, first, BERLIN) == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


RHYTHMS = st.one_of(
    st.builds(Rhythm, st.just(Frequency.WEEKLY), weekday=st.integers(0, 6), time=st.times()),
    st.builds(Rhythm, st.just(Frequency.DAILY), time=st.times()),
    st.builds(Rhythm, st.just(Frequency.MONTHLY), day=st.integers(1, 31), time=st.times()),
)


@given(RHYTHMS, st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_next_due_time_is_in_the_future_and_monthly_runs_match_the_estimate(rhythm: Rhythm, start: datetime) -> None:
    longest = timedelta(days={Frequency.DAILY: 2, Frequency.WEEKLY: 8, Frequency.MONTHLY: 32}[Frequency(rhythm.every)])
    slot = get_next_due_at(rhythm, start, BERLIN)
    assert start < slot <= start + longest
    month_start = start.astimezone(BERLIN).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month_end = (month_start + timedelta(days=31)).replace(day=1)
    assert month_start <= start < month_end
    runs, slot = 0, get_next_due_at(rhythm, month_start - timedelta(microseconds=1), BERLIN)
    while slot < month_end:
        runs, slot = runs + 1, get_next_due_at(rhythm, slot, BERLIN)
    assert 1 <= runs <= MAX_RUNS_PER_MONTH[Frequency(rhythm.every)]


def test_due_schedule_starts_once_and_moves_to_its_next_time(owner: AbstractUser, platform: Platform) -> None:
    schedule = make_schedule(owner, [platform], competitors=[{"name": "木石坊", "aliases": ["MSF"]}], aliases=["SL"])
    later = make_schedule(owner, [platform], next_at=timezone.now() + timedelta(hours=1))
    assert [start_due_schedules() for _look in range(3)] == [1, 0, 0]
    diagnosis = Diagnosis.objects.get()
    schedule.refresh_from_db()
    assert (diagnosis.schedule, diagnosis.owner, diagnosis.planned) == (schedule, owner, 4)
    brands = [(brand.name, brand.aliases, brand.is_own) for brand in diagnosis.brands.all()]
    assert brands == [("山岚", ["SL"], True), ("木石坊", ["MSF"], False)]
    assert schedule.last_diagnosis == diagnosis
    assert schedule.next_at > timezone.now()
    later.refresh_from_db()
    assert later.last_diagnosis is None


@pytest.mark.django_db(transaction=True)
def test_periodic_task_starts_due_schedules(owner: AbstractUser, platform: Platform) -> None:
    make_schedule(owner, [platform])
    asyncio.run(tasks.start_schedules_periodically(0))
    assert Diagnosis.objects.count() == 1


def test_missed_due_times_start_one_run(owner: AbstractUser, platform: Platform) -> None:
    schedule = make_schedule(owner, [platform], next_at=timezone.now() - timedelta(days=70))
    assert [start_due_schedules() for _look in range(3)] == [1, 0, 0]
    schedule.refresh_from_db()
    assert schedule.next_at > timezone.now()


def test_same_due_time_returns_the_first_diagnosis(owner: AbstractUser, platform: Platform) -> None:
    schedule = make_schedule(owner, [platform])
    slot = schedule.next_at
    start_due_schedules()
    Schedule.objects.update(next_at=slot)  # as a restored backup would have it
    start_due_schedules()
    assert Diagnosis.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_start_one_diagnosis(owner: AbstractUser, platform: Platform) -> None:
    make_schedule(owner, [platform])
    together, started = threading.Barrier(4), []

    def look() -> None:
        together.wait()
        started.append(start_due_schedules())
        connection.close()

    threads = [threading.Thread(target=look) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [0, 0, 0, 1]
    assert Diagnosis.objects.count() == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"budget_calls": 7}, "budget_calls"),  # 4 calls were requested this month, the next run needs 4
        ({"budget_money": Decimal("3.99")}, "budget_money"),
        ({"platforms": ["fake", "gone"]}, "platforms"),
    ],
)
def test_skipped_run_has_its_reason_and_one_notification(
    owner: AbstractUser, platform: Platform, columns: dict[str, Any], reason: str
) -> None:
    platform.price_per_call = Decimal("0.5")
    platform.save()
    schedule = make_schedule(owner, [platform])
    start_due_schedules()
    for name, value in columns.items():
        setattr(schedule, name, value)
    schedule.next_at = slot = timezone.now()
    schedule.save()
    assert [start_due_schedules() for _look in range(2)] == [0, 0]
    schedule.refresh_from_db()
    assert (schedule.skip_reason, schedule.skipped_at) == (reason, slot)
    assert schedule.next_at > slot
    notification = Notification.objects.get()
    values = (notification.kind, notification.owner, notification.schedule, notification.data)
    assert values == ("skipped", owner, schedule, {"reason": reason})
    assert Diagnosis.objects.count() == 1


def test_successful_start_clears_the_skip(owner: AbstractUser, platform: Platform) -> None:
    schedule = make_schedule(owner, [platform], budget_calls=3)
    start_due_schedules()
    Schedule.objects.update(budget_calls=8, next_at=timezone.now())
    assert start_due_schedules() == 1
    schedule.refresh_from_db()
    assert (schedule.skip_reason, schedule.skipped_at) == ("", None)


def test_spending_is_that_of_the_attempts_made_in_this_month(owner: AbstractUser) -> None:
    platform = make_platform(price_per_call="0.1")
    schedule = make_schedule(owner, [platform])
    start_due_schedules()
    make_diagnosis(owner, [platform])
    diagnosis = Diagnosis.objects.get(schedule=schedule)

    def get_spent() -> Cost:
        return get_spent_this_month([schedule], get_offered_platforms(ClientKind.WEB)).get(schedule.pk, ZERO_COST)

    assert get_spent() == Cost(4, Decimal("0.4"))  # as expected, until the run ends
    request = CallRequest(platform.pk, CallPurpose.ANSWER, "问", owner.pk, schedule.pk, diagnosis.pk)
    for _attempt in range(3):
        settle(reserve(request), NOTHING)
    run_and_end(diagnosis, *[make_valid_result()] * 4)
    assert get_spent() == Cost(3, Decimal("0.3"))
    BudgetUse.objects.update(month=get_month() - timedelta(days=1))
    assert get_spent() == ZERO_COST


def test_run_that_does_not_fit_into_the_accounts_budget_is_skipped(owner: AbstractUser) -> None:
    schedule = make_schedule(owner, [make_platform(price_per_call="0.1")])
    AccountBudget.objects.create(owner_id=owner.pk, monthly_budget="0.39")
    assert start_due_schedules() == 0
    schedule.refresh_from_db()
    assert schedule.skip_reason == "budget"
    assert not Diagnosis.objects.exists()


@pytest.mark.parametrize("why", ["paused", "inactive owner"])
def test_paused_schedules_and_inactive_owners_are_not_started(platform: Platform, why: str) -> None:
    owner = make_user("owner", is_active=why != "inactive owner")
    make_schedule(owner, [platform], is_paused=why == "paused")
    assert start_due_schedules() == 0
    assert not Diagnosis.objects.exists()


def test_schedule_that_fails_to_start_does_not_affect_others(
    owner: AbstractUser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_schedule(owner, [platform], brand="坏", next_at=timezone.now() - timedelta(hours=1))
    make_schedule(owner, [platform], brand="好")
    real = runner.build_diagnosis_request
    monkeypatch.setattr(
        runner, "build_diagnosis_request", lambda schedule: 1 / 0 if schedule.brand == "坏" else real(schedule)
    )
    assert start_due_schedules() == 1
    broken.refresh_from_db()
    assert broken.next_at < timezone.now()  # tried again in a minute


def test_schedules_are_deleted_with_their_owner(owner: AbstractUser, platform: Platform) -> None:
    make_schedule(owner, [platform], budget_calls=3)
    start_due_schedules()
    assert Notification.objects.exists()
    owner.delete()
    assert not Schedule.objects.exists()
    assert not Notification.objects.exists()


def test_demo_schedule_is_marked(owner: AbstractUser) -> None:
    demo = make_platform("demo", is_demo=True)
    make_schedule(owner, [demo])
    start_due_schedules()
    assert Diagnosis.objects.get().is_demo


def test_full_queue_postpones_and_every_schedule_of_the_slot_runs(
    owner: AbstractUser, platform: Platform, settings: Any
) -> None:
    settings.MAX_UNFINISHED_DIAGNOSES = 3
    slot = timezone.now() - timedelta(minutes=1)
    schedules = [make_schedule(owner, [platform], brand=f"品牌{number}", next_at=slot) for number in range(5)]
    later = make_schedule(owner, [platform], brand="晚到", next_at=slot + timedelta(seconds=30))
    assert start_due_schedules() == 3
    waiting = list(Schedule.objects.exclude(slot_at=None).order_by("brand"))
    assert {(schedule.slot_at, schedule.wait_reason) for schedule in waiting} == {
        (slot, "queue_full"),
        (later.next_at, "queue_full"),
    }
    assert all(schedule.next_at > timezone.now() and schedule.skip_reason == "" for schedule in waiting)
    assert not Notification.objects.exists()
    for _minute in range(5):
        first = Diagnosis.objects.unfinished().earliest("created_at")
        end_diagnosis(first.pk)
        Schedule.objects.exclude(slot_at=None).update(next_at=timezone.now())
        start_due_schedules()
    started = Diagnosis.objects.order_by("created_at").values_list("brand", flat=True)
    assert list(started) == [*(schedule.brand for schedule in schedules), "晚到"]
    assert not Schedule.objects.exclude(slot_at=None, retry_until=None, wait_reason="").exists()
    assert all(schedule.next_at > timezone.now() for schedule in Schedule.objects.all())


@pytest.mark.parametrize("limit", ["MAX_UNFINISHED_DIAGNOSES", "MAX_UNFINISHED_PER_OWNER"])
@pytest.mark.parametrize("every", [Frequency.DAILY, Frequency.WEEKLY])
def test_slot_is_skipped_after_its_day(
    owner: AbstractUser, platform: Platform, settings: Any, limit: str, every: Frequency
) -> None:
    make_diagnosis(owner, [platform])
    setattr(settings, limit, 1)
    weekday = 0 if every == Frequency.WEEKLY else None
    slot = timezone.now() - timedelta(days=3)  # missed while no worker was running: its day begins now
    schedule = make_schedule(owner, [platform], every=every, weekday=weekday, next_at=slot)
    start_due_schedules()
    schedule.refresh_from_db()
    assert (schedule.slot_at, schedule.skip_reason) == (slot, "")
    assert schedule.retry_until
    assert schedule.retry_until - timezone.now() <= timedelta(days=1)
    Schedule.objects.update(next_at=timezone.now(), retry_until=timezone.now() + timedelta(seconds=30))
    start_due_schedules()
    schedule.refresh_from_db()
    assert (schedule.skip_reason, schedule.skipped_at, schedule.slot_at) == ("queue_full", slot, None)
    assert schedule.next_at > timezone.now()
    assert Notification.objects.get().data == {"reason": "queue_full"}


def test_paused_platforms_postpone_until_one_is_back(owner: AbstractUser) -> None:
    first, second = make_platform("first"), make_platform("second", key_variable="MISSING_API_KEY")
    until = timezone.now() + timedelta(minutes=3)
    Platform.objects.filter(pk="first").update(paused_until=until, pause_reason="operator")
    schedule = make_schedule(owner, [first, second])
    assert start_due_schedules() == 0
    schedule.refresh_from_db()
    assert (schedule.wait_reason, schedule.next_at) == ("unavailable", until)
    Platform.objects.update(paused_until=timezone.now() + timedelta(days=30))
    Schedule.objects.update(next_at=timezone.now())
    start_due_schedules()
    schedule.refresh_from_db()
    assert schedule.next_at - timezone.now() < timedelta(minutes=11)  # an operator may end the pause
    Platform.objects.update(paused_until=None)
    Schedule.objects.update(next_at=timezone.now())
    assert start_due_schedules() == 1


def test_waiting_slot_ends_with_a_pause_of_its_schedule(owner: AbstractUser, platform: Platform, settings: Any) -> None:
    make_diagnosis(owner, [platform])
    settings.MAX_UNFINISHED_DIAGNOSES = 1
    schedule = make_schedule(owner, [platform])
    start_due_schedules()
    schedule.refresh_from_db()
    set_paused(schedule, is_paused=True)
    set_paused(schedule, is_paused=False)
    schedule.refresh_from_db()
    assert (schedule.slot_at, schedule.wait_reason) == (None, "")
    assert schedule.next_at == get_next_due_at(schedule, timezone.now())


def test_mixed_schedule_of_an_earlier_version_is_skipped(owner: AbstractUser, platform: Platform) -> None:
    schedule = make_schedule(owner, [platform, make_platform("demo", is_demo=True)])
    assert start_due_schedules() == 0
    schedule.refresh_from_db()
    assert (schedule.skip_reason, schedule.slot_at) == ("refused", None)
