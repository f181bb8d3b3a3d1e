"""The admin page of jobs: content and permissions."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import make_user

PAGE = "/admin/procrastinate/procrastinatejob/"


@pytest.fixture
def waiting(db: None) -> int:
    return app.configure_task("of.a.test", allow_unknown=True, queue="tests").defer(brand="山岚<b>")


def _operator(*codenames: str) -> Client:
    operator = make_user("operator", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return make_signed_in_client(operator)


def test_job_is_shown_with_labels_and_escaped_arguments(waiting: int) -> None:
    client = _operator("view_procrastinatejob", "view_procrastinateevent")
    for path in (PAGE, f"{PAGE}{waiting}/change/"):
        page = client.get(path).content.decode()
        for words in ("等待", "of.a.test", "tests", "山岚&lt;b&gt;"):
            assert words in page, path
        assert "style=" not in page


def test_statuses_are_filtered_by_their_labels(waiting: int) -> None:
    page = _operator("view_procrastinatejob").get(PAGE).context["cl"]
    displays = [choice["display"] for choice in page.filter_specs[0].choices(page)]
    assert displays == ["全部", "等待"]


@pytest.mark.parametrize(("codenames", "status"), [((), "todo"), (("change_procrastinatejob",), "cancelled")])
def test_cancelling_a_job_needs_the_change_permission(waiting: int, codenames: tuple[str, ...], status: str) -> None:
    data: dict[str, Any] = {"action": "cancel_chosen", "_selected_action": [waiting]}
    _operator("view_procrastinatejob", *codenames).post(PAGE, data)
    assert ProcrastinateJob.objects.get(pk=waiting).status == status


def test_failed_job_can_be_retried(waiting: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed', attempts = 1 WHERE id = %s", [waiting])
    data = {"action": "retry_chosen", "_selected_action": [waiting]}
    page = _operator("view_procrastinatejob", "change_procrastinatejob").post(PAGE, data, follow=True)
    assert "已重试 1 个任务" in page.content.decode()
    assert ProcrastinateJob.objects.get(pk=waiting).status == "todo"
