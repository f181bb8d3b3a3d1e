"""What a silence suppresses, and what is sent when it ends."""

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


def list_delivery_kinds() -> list[str]:
    return list(Delivery.objects.order_by("number").values_list("kind", flat=True))


def list_timeline_kinds(alert: Alert) -> list[str]:
    return list(alert.timeline.values_list("kind", flat=True))


def test_one_open_alert_per_fingerprint() -> None:
    alert = fire(MONDAY)
    assert fire_alert(fingerprint="rule:errors", title="again", severity="info", now=MONDAY) is None
    assert resolve_alert(alert, now=MONDAY + HOUR) and not resolve_alert(alert, now=MONDAY + HOUR)
    fire(MONDAY + 2 * HOUR)
    assert list_delivery_kinds() == ["fired", "resolved", "fired"]


def test_acknowledgement_is_in_the_timeline() -> None:
    alert, user = fire(MONDAY), get_user_model().objects.create(username="ming")
    assert acknowledge_alert(alert, user, "在看", now=MONDAY + HOUR)
    assert not acknowledge_alert(alert, user)
    record_call = alert.timeline.get(kind="acknowledged")
    assert (record_call.author, record_call.text, alert.acknowledged_by) == (user, "在看", user)


def test_matching_alerts_are_silenced_with_a_timeline_entry() -> None:
    make_silence(("rule", "=", "errors"))
    silenced, other = fire(MONDAY), fire(MONDAY, "latency")
    assert list_delivery_kinds() == ["fired"]
    assert list_timeline_kinds(silenced) == ["fired", "held_back"] and list_timeline_kinds(other) == ["fired"]
    assert silenced.held_back_by and not other.held_back_by


@pytest.mark.parametrize(
    ("matcher", "is_silenced"),
    [
        (("severity", "=", "error"), True),
        (("severity", "!=", "error"), False),
        (("source", "=", "code"), True),
        (("platform", "=", "p1"), True),
        (("platform", "=", "p2"), False),
        (("rule", "=", "disguised"), False),
    ],
)
def test_matchers_can_name_rule_severity_source_and_labels(matcher: tuple[str, str, str], is_silenced: bool) -> None:
    make_silence(matcher)
    alert = fire(MONDAY, labels={"platform": "p1", "rule": "disguised"})
    assert bool(alert.held_back_by) is is_silenced


def test_open_alert_is_notified_when_the_silence_ends() -> None:
    make_silence()
    alert = fire(MONDAY)
    repeat_alert(alert, now=MONDAY + HOUR / 2)
    assert send_silence_notifications(MONDAY + HOUR / 2) == 0 and list_delivery_kinds() == []
    send_silence_notifications(MONDAY + HOUR)
    assert sorted(list_delivery_kinds()) == ["fired", "summary"]
    send_silence_notifications(MONDAY + 2 * HOUR)
    assert len(list_delivery_kinds()) == 2
    alert.refresh_from_db()
    assert alert.held_back_by is None and alert.notified_at == MONDAY + HOUR


def test_resolved_alerts_are_summarized_in_one_message() -> None:
    make_silence()
    for name in ("errors", "latency"):
        resolve_alert(fire(MONDAY, name), now=MONDAY + HOUR / 2)
    send_silence_notifications(MONDAY + HOUR)
    message = Delivery.objects.get()
    assert message.kind == "summary"
    assert "2 个告警" in str(message.message) and "4 条通知" in str(message.message)


def test_silenced_resolution_is_only_in_the_summary() -> None:
    alert = fire(MONDAY - HOUR)
    make_silence()
    resolve_alert(alert, now=MONDAY)
    send_silence_notifications(MONDAY + HOUR)
    assert list_delivery_kinds() == ["fired", "summary"]


def test_silence_is_checked_for_each_notification() -> None:
    make_silence()
    alert = fire(MONDAY)
    resolve_alert(alert, now=MONDAY + HOUR)
    assert list_delivery_kinds() == ["resolved"]


def test_alert_is_notified_when_the_silence_no_longer_matches() -> None:
    silence = make_silence()
    fire(MONDAY)
    Silence.objects.filter(pk=silence.pk).update(matchers=[{"label": "rule", "op": "=", "values": ["latency"]}])
    send_silence_notifications(MONDAY + HOUR / 2)
    assert list_delivery_kinds() == ["fired"]


def test_each_weekly_window_is_summarized_when_it_ends() -> None:
    nightly = [{"days": [0, 1], "from": "22:00", "to": "06:00"}]
    make_silence(weekly=nightly, ends_at=MONDAY + timedelta(days=7))
    for day in (0, 1):
        night = MONDAY + timedelta(days=day, hours=12)
        resolve_alert(fire(night), now=night + HOUR)
        assert send_silence_notifications(night + 2 * HOUR) == 0
        assert send_silence_notifications(night + 6 * HOUR) == 1
    assert list_delivery_kinds() == ["summary", "summary"]
    summaries = [str(delivery.message) for delivery in Delivery.objects.all()]
    assert all("2 条通知" in summary and "1 个告警" in summary for summary in summaries)


def test_weekly_windows_use_the_time_zone_of_the_site() -> None:
    silence = make_silence(
        weekly=[{"days": [0], "from": "22:00", "to": "06:00"}, {"days": [6], "from": "09:00", "to": "10:30"}],
        ends_at=MONDAY + timedelta(days=30),
    )

    def is_active(day: int, hour: float) -> bool:
        return is_silence_active(silence, MONDAY.replace(hour=0) + timedelta(days=day, hours=hour))

    assert [is_active(0, hour) for hour in (21.9, 22, 23.9, 24, 29.9, 30)] == [False, True, True, True, True, False]
    assert [is_active(1, hour) for hour in (22, 23)] == [False, False]
    assert [is_active(6, hour) for hour in (8.9, 9, 10.4, 10.5)] == [False, True, True, False]
    assert not is_active(7, 3)  # the window of Sunday is over, that of Monday begins at 22


def test_silence_is_inactive_outside_its_time() -> None:
    make_silence()
    alert = fire(MONDAY - HOUR)
    assert find_active_silence(alert, MONDAY - timedelta(seconds=1)) is None
    assert find_active_silence(alert, MONDAY) is not None
    assert find_active_silence(alert, MONDAY + HOUR) is None


def test_callbacks_run_after_the_commit_and_not_during_a_silence(django_capture_on_commit_callbacks: Any) -> None:
    calls: list[tuple[str, bool]] = []

    def record_call(alert: Alert) -> None:
        calls.append((alert.rule_name, alert.is_open))

    get_alert_manager().add_callback(record_call)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            alert = fire(MONDAY - HOUR)
            assert calls == []
        make_silence(("rule", "=", "latency"))
        with django_capture_on_commit_callbacks(execute=True):
            resolve_alert(alert, now=MONDAY)
            fire(MONDAY, "latency")
        assert calls == [("errors", True), ("errors", False)]
        with django_capture_on_commit_callbacks(execute=True):
            send_silence_notifications(MONDAY + HOUR)
        assert calls[2:] == [("latency", True)]
    finally:
        get_alert_manager().remove_callback(record_call)
    assert AlertNote.objects.filter(kind="held_back").count() == 1


def test_selected_alerts_are_silenced(client: Client) -> None:
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
    silenced = [alert.rule_name for alert in Alert.objects.all() if find_active_silence(alert, now + HOUR)]
    assert sorted(silenced) == ["errors", "latency"]
