"""Members see and change a workspace by their role, through every route that shows a diagnosis, and lose it at once."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Diagnosis, Member, Platform, Schedule, Workspace
from diagnosis.models.access import find_lost_access_to_streams
from diagnosis.tests.conftest import make_signed_in_client
from progress.access import Subscription
from progress.models import Stream
from testing.data.diagnoses import make_diagnosis, make_schedule, make_user, make_valid_result, run_and_end


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    return run_and_end(make_diagnosis(owner, [platform]), make_valid_result())


def _join(workspace: Workspace, name: str, role: WorkspaceRole) -> tuple[AbstractUser, Client]:
    user = make_user(name)
    Member.objects.create(workspace=workspace, user_id=user.pk, role=role)
    return user, make_signed_in_client(user)


def _status(client: Client, method: str, path: str, body: Any = None) -> int:
    return client.generic(method, path, body or "{}", content_type="application/json").status_code


def test_orders_go_to_the_workspace_of_owner_brand_and_demo(
    client: Client, owner: AbstractUser, stranger: AbstractUser, platform: Platform
) -> None:
    first, second = make_diagnosis(owner, [platform]), make_diagnosis(owner, [platform], brand="ＡＣＭＥ")
    same = [make_diagnosis(owner, [platform], brand=" acme "), make_diagnosis(owner, [platform], brand="山岚")]
    assert [one.workspace_id for one in same] == [second.workspace_id, first.workspace_id]
    assert make_diagnosis(stranger, [platform]).workspace_id != first.workspace_id
    listed = client.get("/api/workspaces").json()["items"]
    assert [(row["name"], row["role"], row["demo"]) for row in listed] == [
        ("山岚", "owner", False),
        ("ＡＣＭＥ", "owner", False),
    ]


def test_each_role_reads_and_changes_what_it_may(diagnosis: Diagnosis, owner: AbstractUser) -> None:
    assert diagnosis.workspace
    schedule = make_schedule(owner, [Platform.objects.get()], workspace=diagnosis.workspace)
    clients = {role: _join(diagnosis.workspace, f"a-{role}", role)[1] for role in WorkspaceRole}
    here = f"/api/diagnoses/{diagnosis.pk}"
    readable = ["", "/report", "/answers", "/corrections", "/sources", "/trend", "/export.csv", "/export.json"]
    paths = [here + path for path in readable] + [f"/api/schedules/{schedule.pk}", f"/diagnoses/{diagnosis.pk}/print/"]
    for client in clients.values():
        assert {path: _status(client, "GET", path) for path in paths} == dict.fromkeys(paths, 200)
    alias = '{"kind": "alias", "brand": "山岚", "alias": "%s"}'
    changes = [
        ("POST", f"{here}/cancel", None, {"viewer": 403, "editor": 200, "owner": 200}),
        ("POST", f"{here}/retry", None, {"viewer": 403, "editor": 409, "owner": 409}),
        ("POST", f"{here}/corrections", alias, {"viewer": 403, "editor": 200, "owner": 200}),
        ("POST", f"/api/schedules/{schedule.pk}/pause", None, {"viewer": 403, "editor": 200, "owner": 200}),
        ("GET", f"{here}/shares", None, {"viewer": 403, "editor": 403, "owner": 200}),
        ("POST", f"{here}/shares", '{"days": 1}', {"viewer": 403, "editor": 403, "owner": 201}),
    ]
    for method, path, body, expected in changes:
        text = {role: body % f"别名{role}" if body and "%s" in body else body for role in expected}
        assert {role: _status(clients[WorkspaceRole(role)], method, path, text[role]) for role in expected} == expected


def test_removed_member_loses_everything_at_once_even_own_diagnoses(diagnosis: Diagnosis, platform: Platform) -> None:
    assert diagnosis.workspace
    editor, client = _join(diagnosis.workspace, "editor", WorkspaceRole.EDITOR)
    own = make_diagnosis(editor, [platform], workspace=diagnosis.workspace_id)
    paths = [f"/api/diagnoses/{one.pk}" for one in (own, diagnosis)] + [f"/api/diagnoses/{diagnosis.pk}/report"]
    streams = Stream.objects.filter(pk__in=[own.stream_id, diagnosis.stream_id])
    assert [_status(client, "GET", path) for path in paths] == [200, 200, 200]
    assert streams.visible_to(editor).count() == 2
    followed = {Subscription(editor.pk, stream.pk) for stream in streams}
    assert find_lost_access_to_streams(followed) == set()
    Member.objects.get(user_id=editor.pk).delete()
    assert [_status(client, "GET", path) for path in paths] == [404, 404, 404]
    assert _status(client, "GET", f"/api/workspaces/{diagnosis.workspace_id}/overview") == 404
    assert streams.visible_to(editor).count() == 0
    assert find_lost_access_to_streams(followed) == followed


def test_staff_follow_streams_by_permission_not_membership(diagnosis: Diagnosis, staff: AbstractUser) -> None:
    assert find_lost_access_to_streams({Subscription(staff.pk, diagnosis.stream_id)}) == set()
    assert Stream.objects.visible_to(staff).filter(pk=diagnosis.stream_id).exists()


def test_workspace_being_deleted_is_hidden_and_its_schedules_stop(
    client: Client, diagnosis: Diagnosis, owner: AbstractUser
) -> None:
    make_schedule(owner, [Platform.objects.get()], workspace=diagnosis.workspace)
    assert Schedule.objects.due().count() == 1
    Workspace.objects.update(deleted_at="2026-01-01T00:00Z")
    assert Schedule.objects.due().count() == 0
    paths = [f"/api/diagnoses/{diagnosis.pk}", f"/api/workspaces/{diagnosis.workspace_id}"]
    assert [_status(client, "GET", path) for path in paths] == [404, 404]
    assert client.get("/api/workspaces").json()["items"] == []


def test_workspace_is_created_once_and_up_to_the_limit(client: Client, settings: Any) -> None:
    settings.WORKSPACES_PER_OWNER = 2
    created = client.post("/api/workspaces", {"name": "山岚"}, content_type="application/json")
    assert (created.status_code, created.json()["role"]) == (201, "owner")
    for name, status in (("山岚 ", 409), ("木石坊", 201), ("第三", 409)):
        again = client.post("/api/workspaces", {"name": name}, content_type="application/json")
        assert (again.status_code, name) == (status, name)
    assert client.get(f"/api/workspaces/{uuid.uuid4()}").status_code == 404
    assert client.get("/api/workspaces/nonsense").status_code == 422
