"""The to-do items of the admin home page, by permission."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from diagnosis.tests.conftest import make_signed_in_client
from diagsite.admin.home import get_todo_items
from monitoring.alerts.lifecycle import fire_alert
from testing.data.diagnoses import make_platform, make_user

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
        "生效中的静默": (0, False),
    }
    assert tasks["未确认的告警"].address == "/admin/monitoring/alert/?open=unacknowledged"


def test_every_todo_link_works(django_assert_max_num_queries: Any) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    with django_assert_max_num_queries(15):
        tasks = get_todo_items(root)
    client = make_signed_in_client(root)
    assert len(tasks) == 14
    for task in tasks:
        assert client.get(task.address).status_code == 200, task  # an unknown filter would redirect
    assert "待办与现状" in client.get("/admin/").content.decode()


def test_user_without_permissions_sees_no_todo_items() -> None:
    nobody = _operator()
    assert get_todo_items(nobody) == []
    assert "没有分配给您的内容" in make_signed_in_client(nobody).get("/admin/").content.decode()
