"""What a silence holds back, and that all of it is told in the end."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring.alerts.lifecycle import acknowledge_alert, fire_alert, repeat_alert, resolve_alert
from monitoring.alerts.manager import get_alert_manager
from monitoring.alerts.silence_notifications import send_silence_notifications
from monitoring.alerts.silences import find_active_silence, is_silence_active
from monitoring.models import Alert, AlertNote, Channel, Delivery, Silence

pytestmark = pytest.mark.django_db

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, 12, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def channel() -> Channel:
    return Channel.objects.create(name="ops", kind="webhook")


def make_silence(*matchers: tuple[str, str, str], **changes: Any) -> Silence:
    content: dict[str, Any] = {"comment": "维护", "starts_at": MONDAY, "ends_at": MONDAY + HOUR}
    rows = [{"label": label, "op": op, "values": [value]} for label, op, value in matchers]
    return Silence.objects.create(matchers=rows, **content | changes)


def fire(now: datetime, name: str = "errors", **changes: Any) -> Alert:
    alert = fire_alert(fingerprint=f"rule:{name}", rule_name=name, title=name, severity="error", now=now, **changes)
    assert alert
    return alert


def told() -> list[str]:
    return list(Delivery.objects.order_by("number").values_list("kind", flat=True))


def timeline(alert: Alert) -> list[str]:
    return list(alert.timeline.values_list("kind", flat=True))


def test_of_one_event_only_one_alert_is_open() -> None:
    alert = fire(MONDAY)
    assert fire_alert(fingerprint="rule:errors", title="again", severity="info", now=MONDAY) is None
    assert resolve_alert(alert, now=MONDAY + HOUR) and not resolve_alert(alert, now=MONDAY + HOUR)
    fire(MONDAY + 2 * HOUR)
    assert told() == ["fired", "resolved", "fired"]


def test_whoever_acknowledges_is_in_the_timeline() -> None:
    alert, user = fire(MONDAY), get_user_model().objects.create(username="ming")
    assert acknowledge_alert(alert, user, "在看", now=MONDAY + HOUR)
    assert not acknowledge_alert(alert, user)
    note = alert.timeline.get(kind="acknowledged")
    assert (note.author, note.text, alert.acknowledged_by) == (user, "在看", user)


def test_what_matches_is_held_back_and_noted() -> None:
    make_silence(("rule", "=", "errors"))
    held, other = fire(MONDAY), fire(MONDAY, "latency")
    assert told() == ["fired"]
    assert timeline(held) == ["fired", "held_back"] and timeline(other) == ["fired"]
    assert held.held_back_by and not other.held_back_by


@pytest.mark.parametrize(
    ("matcher", "is_held"),
    [
        (("severity", "=", "error"), True),
        (("severity", "!=", "error"), False),
        (("source", "=", "code"), True),
        (("platform", "=", "p1"), True),
        (("platform", "=", "p2"), False),
        (("rule", "=", "disguised"), False),
    ],
)
def test_labels_that_a_silence_can_name(matcher: tuple[str, str, str], is_held: bool) -> None:
    make_silence(matcher)
    alert = fire(MONDAY, labels={"platform": "p1", "rule": "disguised"})
    assert bool(alert.held_back_by) is is_held


def test_an_alert_that_goes_on_is_told_when_the_silence_ends() -> None:
    make_silence()
    alert = fire(MONDAY)
    repeat_alert(alert, now=MONDAY + HOUR / 2)
    assert send_silence_notifications(MONDAY + HOUR / 2) == 0 and told() == []
    send_silence_notifications(MONDAY + HOUR)
    assert sorted(told()) == ["fired", "summary"]
    send_silence_notifications(MONDAY + 2 * HOUR)
    assert len(told()) == 2
    alert.refresh_from_db()
    assert alert.held_back_by is None and alert.notified_at == MONDAY + HOUR


def test_what_was_over_before_the_silence_ended_is_in_one_summary() -> None:
    make_silence()
    for name in ("errors", "latency"):
        resolve_alert(fire(MONDAY, name), now=MONDAY + HOUR / 2)
    send_silence_notifications(MONDAY + HOUR)
    message = Delivery.objects.get()
    assert message.kind == "summary"
    assert "2 个告警" in str(message.message) and "4 条通知" in str(message.message)


def test_an_alert_that_was_told_before_is_not_told_as_new() -> None:
    alert = fire(MONDAY - HOUR)
    make_silence()
    resolve_alert(alert, now=MONDAY)
    send_silence_notifications(MONDAY + HOUR)
    assert told() == ["fired", "summary"]


def test_silences_are_looked_at_for_each_message() -> None:
    make_silence()
    alert = fire(MONDAY)
    resolve_alert(alert, now=MONDAY + HOUR)
    assert told() == ["resolved"]


def test_a_silence_that_no_longer_covers_an_alert_has_it_told() -> None:
    silence = make_silence()
    fire(MONDAY)
    Silence.objects.filter(pk=silence.pk).update(matchers=[{"label": "rule", "op": "=", "values": ["latency"]}])
    send_silence_notifications(MONDAY + HOUR / 2)
    assert told() == ["fired"]


def test_each_window_of_the_week_is_summed_up_when_it_ends() -> None:
    nightly = [{"days": [0, 1], "from": "22:00", "to": "06:00"}]
    make_silence(weekly=nightly, ends_at=MONDAY + timedelta(days=7))
    for day in (0, 1):
        night = MONDAY + timedelta(days=day, hours=12)
        resolve_alert(fire(night), now=night + HOUR)
        assert send_silence_notifications(night + 2 * HOUR) == 0
        assert send_silence_notifications(night + 6 * HOUR) == 1
    assert told() == ["summary", "summary"]
    summaries = [str(one.message) for one in Delivery.objects.all()]
    assert all("2 条通知" in one and "1 个告警" in one for one in summaries)


def test_windows_of_the_week_are_in_the_time_zone_of_the_site() -> None:
    silence = make_silence(
        weekly=[{"days": [0], "from": "22:00", "to": "06:00"}, {"days": [6], "from": "09:00", "to": "10:30"}],
        ends_at=MONDAY + timedelta(days=30),
    )

    def holds(day: int, hour: float) -> bool:
        return is_silence_active(silence, MONDAY.replace(hour=0) + timedelta(days=day, hours=hour))

    assert [holds(0, hour) for hour in (21.9, 22, 23.9, 24, 29.9, 30)] == [False, True, True, True, True, False]
    assert [holds(1, hour) for hour in (22, 23)] == [False, False]
    assert [holds(6, hour) for hour in (8.9, 9, 10.4, 10.5)] == [False, True, True, False]
    assert not holds(7, 3)  # the window of Sunday is over, that of Monday begins at 22


def test_outside_its_time_a_silence_holds_nothing_back() -> None:
    make_silence()
    alert = fire(MONDAY - HOUR)
    assert find_active_silence(alert, MONDAY - timedelta(seconds=1)) is None
    assert find_active_silence(alert, MONDAY) is not None
    assert find_active_silence(alert, MONDAY + HOUR) is None


def test_code_is_told_after_the_commit_and_not_during_a_silence(django_capture_on_commit_callbacks: Any) -> None:
    seen: list[tuple[str, bool]] = []

    def note(alert: Alert) -> None:
        seen.append((alert.rule_name, alert.is_open))

    get_alert_manager().add_callback(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            alert = fire(MONDAY - HOUR)
            assert seen == []
        make_silence(("rule", "=", "latency"))
        with django_capture_on_commit_callbacks(execute=True):
            resolve_alert(alert, now=MONDAY)
            fire(MONDAY, "latency")
        assert seen == [("errors", True), ("errors", False)]
        with django_capture_on_commit_callbacks(execute=True):
            send_silence_notifications(MONDAY + HOUR)
        assert seen[2:] == [("latency", True)]
    finally:
        get_alert_manager().remove_callback(note)
    assert AlertNote.objects.filter(kind="held_back").count() == 1


def test_alerts_are_silenced_from_their_list(client: Client) -> None:
    now = timezone.now()
    for name in ("errors", "latency", "errors-of-another"):
        fire(now, name)
    client.force_login(get_user_model().objects.create(username="ming", is_staff=True, is_superuser=True))
    chosen = Alert.objects.exclude(rule_name="errors-of-another").values_list("pk", flat=True)
    page = client.post("/admin/monitoring/alert/", {"action": "silence_chosen", "_selected_action": list(chosen)})
    assert page.status_code == 302
    silence = Silence.objects.get()
    assert silence.ends_at - silence.starts_at == pytest.approx(2 * HOUR, abs=timedelta(seconds=1))
    assert silence.author
    held = [alert.rule_name for alert in Alert.objects.all() if find_active_silence(alert, now + HOUR)]
    assert sorted(held) == ["errors", "latency"]
