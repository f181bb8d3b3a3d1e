"""The to-do items of the admin home page, by permission."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from diagnosis.models import Diagnosis
from diagnosis.tests.conftest import make_signed_in_client
from diagsite.admin.home import get_todo_items
from errors.models import CopyOverride, ErrorCount
from monitoring.alerts.lifecycle import fire_alert
from monitoring.delivery.messages import Message
from monitoring.models import Alert, Channel, Delivery, Rule, RuleState, Silence
from testing.data.diagnoses import make_diagnosis, make_platform, make_user

pytestmark = pytest.mark.django_db


def _operator(*codenames: str) -> Any:
    operator = make_user("operator", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return operator


def test_todo_item_counts_rows_and_links_to_their_list() -> None:
    fire_alert(fingerprint="rule:errors", title="errors", severity="error", now=timezone.now())
    make_platform(paused_until=timezone.now() + timedelta(hours=1))
    tasks = {task.title: task for task in get_todo_items(_operator("view_alert", "view_platform", "view_silence"))}
    assert {title: (task.count, task.is_urgent) for title, task in tasks.items()} == {
        "未确认的告警": (1, True),
        "暂停中的平台": (1, True),
        "未结束的静默": (0, False),
    }
    assert tasks["未确认的告警"].address == "/admin/monitoring/alert/?open=unacknowledged"


def _make_rows_that_count_and_others() -> None:
    """Make rows of which each list shows only some, because others are older, over, off or of another state."""
    now, ago, later = timezone.now(), timezone.now() - timedelta(days=2), timezone.now() + timedelta(hours=1)
    for number in range(3):
        alert = fire_alert(fingerprint=f"rule:{number}", title="errors", severity="error", now=now)
        assert alert
    Alert.objects.filter(fingerprint="rule:0").update(acknowledged_at=now)
    channel = Channel.objects.create(name="off", kind="webhook", is_enabled=False)
    message = Message("t", "fired", "error").to_dict()
    for created_at in (now, ago):
        Delivery.objects.create(
            alert=alert, channel=channel, kind="fired", state="given_up", created_at=created_at, message=message
        )
    for is_enabled in (True, False):
        rule = Rule.objects.create(name=f"r{is_enabled}", title="r", kind="gauge", metric="m", threshold=1)
        Rule.objects.filter(pk=rule.pk).update(is_enabled=is_enabled)
        RuleState.objects.create(rule=rule, state=RuleState.State.FAILED)
    for starts_at, ends_at in ((ago, later), (ago, now - timedelta(hours=1)), (later, later + timedelta(hours=1))):
        Silence.objects.create(comment="s", starts_at=starts_at, ends_at=ends_at)
        CopyOverride.objects.create(code="CONFLICT", title="t", starts_at=starts_at, ends_at=ends_at, reason="r")
    hour = now.replace(minute=0, second=0, microsecond=0)
    for outcome, at, count in (("shown", hour, 300), ("shown", ago, 40), ("retried", hour, 70)):
        ErrorCount.objects.create(code="CONFLICT", fingerprint="f", outcome=outcome, hour=at, count=count)
    owner, platforms = make_user("owner"), [make_platform()]
    for status, created_at in (("asking", now), ("queued", now), ("failed", now), ("failed", ago), ("completed", now)):
        diagnosis = make_diagnosis(owner, platforms)
        Diagnosis.objects.filter(pk=diagnosis.pk).update(status=status, created_at=created_at)
    make_platform("paused", paused_until=later)
    make_platform("off", paused_until=later, is_enabled=False)


def test_every_number_is_that_of_the_rows_in_its_list(django_assert_max_num_queries: Any) -> None:
    _make_rows_that_count_and_others()
    root = make_user("root", is_staff=True, is_superuser=True)
    with django_assert_max_num_queries(14):
        tasks = get_todo_items(root)
    client = make_signed_in_client(root)
    shown: dict[str, int] = {}
    for task in tasks[1:]:
        response = client.get(task.address)
        assert response.status_code == 200, task  # an unknown filter would redirect
        context = response.context
        shown[task.title] = context["cl"].result_count if "cl" in context else context["total"]
    assert shown == {task.title: task.count for task in tasks[1:]}
    assert shown["用户看到的错误（24 小时）"] == 300
    assert {shown[title] for title in ("未确认的告警", "进行中的诊断")} == {2}
    empty = {"未发布的文案修改", "失败的后台任务", "待处理的反馈与投诉"}
    assert all(count for title, count in shown.items() if title not in empty)
    page = client.get("/admin/").content.decode()
    assert "待办与现状" in page


def test_a_site_without_a_channel_is_warned_on_the_home_page() -> None:
    operator = _operator("view_channel")
    page = make_signed_in_client(operator).get("/admin/").content.decode()
    assert "没有可用的通知渠道：告警不会通知任何人" in page
    Channel.objects.create(name="on", kind="webhook")
    assert all(task.count is not None for task in get_todo_items(operator))


def test_user_without_permissions_sees_no_todo_items() -> None:
    nobody = _operator()
    assert get_todo_items(nobody) == []
    assert "没有分配给您的内容" in make_signed_in_client(nobody).get("/admin/").content.decode()
