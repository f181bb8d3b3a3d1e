"""The monthly budget of a workspace bounds what all its members order, schedule and call."""

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.choices import BudgetScope, CallPurpose, WorkspaceRole
from diagnosis.exceptions import BudgetExhausted
from diagnosis.models import BudgetUse, Diagnosis, Member, Platform, Schedule, Workspace
from diagnosis.schedules.runner import start_due_schedules
from diagnosis.spending.ledger import CallRequest, reserve
from testing.data.diagnoses import make_diagnosis, make_schedule, make_user, make_valid_result, run_and_end


@pytest.fixture
def workspace(owner: AbstractUser, platform: Platform) -> Workspace:
    run = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    assert run.workspace
    return run.workspace


def _set(client: Client, workspace: Workspace, status: int = 200, **body: Any) -> Any:
    response = client.put(f"/api/workspaces/{workspace.pk}/budget", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_orders_of_all_members_fit_into_the_calls_of_the_budget(
    client: Client, owner: AbstractUser, platform: Platform, workspace: Workspace
) -> None:
    assert _set(client, workspace, calls=2, money="1.50") == {
        "calls": 2,
        "money": "1.50",
        "used_calls": 0,
        "used_money": "0",
    }
    editor = make_user("editor")
    Member.objects.create(workspace=workspace, user_id=editor.pk, role=WorkspaceRole.EDITOR)
    make_diagnosis(owner, [platform])  # one answer is expected
    with pytest.raises(BudgetExhausted) as refusal:
        make_diagnosis(editor, [platform], questions=["甲？", "乙？"], workspace=workspace.pk)
    assert refusal.value.scope == BudgetScope.WORKSPACE
    assert "品牌" in str(refusal.value.fields)
    make_diagnosis(editor, [platform], workspace=workspace.pk)
    make_diagnosis(editor, [platform], brand="别的", questions=["甲？", "乙？"])  # has a workspace of its own
    assert "calls" in _set(client, workspace, 422, calls=-1, money=None)["fields"]


def test_schedule_beyond_the_budget_skips_its_run(
    client: Client, owner: AbstractUser, platform: Platform, workspace: Workspace
) -> None:
    _set(client, workspace, calls=0, money=None)
    schedule = make_schedule(owner, [platform], workspace=workspace)
    before = Diagnosis.objects.count()
    assert start_due_schedules() == 0
    assert Schedule.objects.get(pk=schedule.pk).skip_reason == "budget"
    assert Diagnosis.objects.count() == before


def test_calls_are_charged_to_the_workspace_and_stop_at_its_budget(
    client: Client, platform: Platform, workspace: Workspace
) -> None:
    _set(client, workspace, calls=1, money=None)
    request = CallRequest(platform.pk, CallPurpose.ANSWER, "问", workspace_id=workspace.pk)
    reserve(request)
    with pytest.raises(BudgetExhausted) as refusal:
        reserve(request)
    assert (refusal.value.scope, refusal.value.key) == (BudgetScope.WORKSPACE, str(workspace.pk))
    assert BudgetUse.objects.get(scope=BudgetScope.WORKSPACE).calls == 1
    assert client.get(f"/api/workspaces/{workspace.pk}/budget").json()["used_calls"] == 1
