"""Members come by invitation and go at once; a workspace keeps an owner; its deletion can be undone for a week."""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Diagnosis, Invitation, Member, Platform, ShareLink, Workspace
from diagnosis.tests.conftest import make_signed_in_client
from diagnosis.workspaces import members
from testing.data.diagnoses import make_diagnosis, make_schedule, make_user, make_valid_result, run_and_end


@pytest.fixture
def workspace(owner: AbstractUser, platform: Platform) -> Workspace:
    """A workspace with one run and the owner as its only member."""
    diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    assert diagnosis.workspace
    return diagnosis.workspace


def _send(client: Client, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    response = client.generic(method, f"/api/{path}", body or "{}", content_type="application/json")
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def _invite(client: Client, workspace: Workspace, role: str = "viewer", status: int = 201) -> Any:
    return _send(client, "POST", f"workspaces/{workspace.pk}/invitations", f'{{"role": "{role}"}}', status)


def _accept(client: Client, token: str, status: int = 200) -> Any:
    return _send(client, "POST", "invitations/accept", f'{{"token": "{token}"}}', status)


def test_invitation_makes_one_person_a_member(
    client: Client, client_of_stranger: Client, stranger: AbstractUser, workspace: Workspace
) -> None:
    invitation = _invite(client, workspace, "editor")
    assert invitation["url"].endswith(f"/join/{invitation['token']}/")
    assert not Invitation.objects.filter(token_hash=invitation["token"]).exists()
    assert "token" not in _send(client, "GET", f"workspaces/{workspace.pk}/invitations")[0]
    assert _accept(client, invitation["token"])["role"] == "owner"  # a member does not use it up
    assert _accept(client_of_stranger, invitation["token"])["role"] == "editor"
    _accept(make_signed_in_client(make_user("third")), invitation["token"], 404)
    listed = _send(client_of_stranger, "GET", f"workspaces/{workspace.pk}/members")
    assert [(row["name"], row["role"], row["is_you"]) for row in listed] == [
        ("owner", "owner", False),
        ("stranger", "editor", True),
    ]
    _invite(client_of_stranger, workspace, status=403)
    assert _send(client, "GET", f"workspaces/{workspace.pk}/invitations") == []


def test_invitation_for_an_address_needs_the_account_with_it(
    client: Client, client_of_stranger: Client, workspace: Workspace
) -> None:
    path = f"workspaces/{workspace.pk}/invitations"
    assert "email" in _send(client, "POST", path, '{"role": "viewer", "email": "nobody"}', 422)["fields"]
    invitation = _send(client, "POST", path, '{"role": "viewer", "email": "Anna@Example.com"}', 201)
    assert invitation["email"] == "anna@example.com"
    assert "email" in _accept(client_of_stranger, invitation["token"], 409)["fields"]
    invited = make_signed_in_client(make_user("anna", email="anna@example.com"))
    page = invited.get(f"/join/{invitation['token']}/")
    assert (page.status_code, page["Referrer-Policy"], page["Cache-Control"]) == (
        200,
        "no-referrer",
        "private, no-store",
    )
    assert "加入“山岚”" in page.content.decode()
    assert Member.objects.count() == 1  # looking changes nothing
    assert _accept(invited, invitation["token"])["role"] == "viewer"
    assert "这个邀请用不了" in invited.get(f"/join/{invitation['token']}/").content.decode()


def test_link_to_the_overview_ends_with_the_role_of_its_creator(
    client: Client, owner: AbstractUser, workspace: Workspace
) -> None:
    other = make_user("other")
    member = Member.objects.create(workspace=workspace, user_id=other.pk, role=WorkspaceRole.OWNER)
    path = f"workspaces/{workspace.pk}/shares"
    theirs = make_signed_in_client(other)
    first, second = (_send(each, "POST", path, '{"days": 1}', 201) for each in (client, theirs))
    visitor = Client(headers={"Accept-Language": "zh-CN"})
    page = visitor.get(urlsplit(second["url"]).path)
    assert (page.status_code, page["X-Robots-Tag"]) == (200, "noindex, nofollow, noarchive")
    text = page.content.decode()
    assert "山岚" in text
    assert "1 / 1" in text
    assert "/w/" not in text  # the page leads nowhere else
    assert {row["id"]: row["opens"] for row in _send(client, "GET", path)} == {first["id"]: 0, second["id"]: 1}
    Member.objects.filter(pk=member.pk).update(role=WorkspaceRole.EDITOR)
    assert visitor.get(urlsplit(second["url"]).path).status_code == 404
    _send(theirs, "POST", path, '{"days": 1}', 403)
    assert visitor.get(urlsplit(first["url"]).path).status_code == 200
    _send(client, "DELETE", f"{path}/{first['id']}", status=204)
    _send(client, "DELETE", f"{path}/{uuid.uuid4()}", status=404)
    assert visitor.get(urlsplit(first["url"]).path).status_code == 404
    assert visitor.get("/shared/brand/nonsense/").status_code == 404


def test_overview_is_printed_by_members_and_with_a_ticket(
    client: Client, client_of_stranger: Client, workspace: Workspace
) -> None:
    path = f"/w/{workspace.pk}/print/"
    assert "AI 可见度概览" in client.get(path).content.decode()
    assert client_of_stranger.get(path).status_code == 404
    assert Client().get(path).status_code == 302
    url = _send(client, "POST", f"workspaces/{workspace.pk}/print")["url"]
    assert Client().get(url).status_code == 200
    Member.objects.all().delete()
    assert Client().get(url).status_code == 404


def test_workspace_is_renamed_by_owners_and_keeps_its_orders(
    client: Client, owner: AbstractUser, workspace: Workspace, platform: Platform
) -> None:
    assert _send(client, "PATCH", f"workspaces/{workspace.pk}", '{"name": "新名"}')["name"] == "新名"
    assert make_diagnosis(owner, [platform]).workspace_id == workspace.pk


@pytest.mark.parametrize("change", [{"expires_at": timezone.now()}, {"revoked_at": timezone.now()}])
def test_expired_and_revoked_invitations_are_unknown(
    client: Client, client_of_stranger: Client, workspace: Workspace, change: dict[str, Any]
) -> None:
    token = _invite(client, workspace)["token"]
    Invitation.objects.update(**change)
    _accept(client_of_stranger, token, 404)
    _accept(client_of_stranger, "nonsense", 404)


def test_limits_of_members_and_invitations(
    client: Client, client_of_stranger: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MAX_INVITATIONS", 1)
    first = _invite(client, workspace)
    _invite(client, workspace, status=409)
    _send(client, "DELETE", f"workspaces/{workspace.pk}/invitations/{first['id']}", status=204)
    _send(client, "DELETE", f"workspaces/{workspace.pk}/invitations/{first['id']}", status=404)
    token = _invite(client, workspace)["token"]
    monkeypatch.setattr(members, "MAX_MEMBERS", 1)
    _accept(client_of_stranger, token, 409)
    assert Invitation.objects.open().count() == 1  # it was not used up


def test_last_owner_stays_and_others_may_leave(client: Client, owner: AbstractUser, workspace: Workspace) -> None:
    own, other = Member.objects.get(), make_user("other")
    path = f"workspaces/{workspace.pk}/members"
    _send(client, "DELETE", f"{path}/{own.pk}", status=409)
    _send(client, "PATCH", f"{path}/{own.pk}", '{"role": "editor"}', 409)
    member = Member.objects.create(workspace=workspace, user_id=other.pk, role=WorkspaceRole.VIEWER)
    theirs = make_signed_in_client(other)
    _send(theirs, "DELETE", f"{path}/{own.pk}", status=403)
    _send(client, "PATCH", f"{path}/{member.pk}", '{"role": "owner"}', 204)
    _send(client, "DELETE", f"{path}/{own.pk}", status=204)
    _send(client, "GET", path, status=404)
    _send(theirs, "DELETE", f"{path}/{member.pk}", status=409)
    # An order of the former owner does not go where they may not look.
    assert make_diagnosis(owner, [Platform.objects.get()]).workspace_id != workspace.pk


def test_deletion_stops_everything_and_can_be_undone(
    client: Client, client_of_stranger: Client, owner: AbstractUser, workspace: Workspace, platform: Platform
) -> None:
    running = make_diagnosis(owner, [platform])
    ended = Diagnosis.objects.exclude(pk=running.pk).get()
    make_schedule(owner, [platform], workspace=workspace)
    ShareLink.objects.create(diagnosis=ended, created_by_id=owner.pk, expires_at=timezone.now() + timedelta(days=1))
    path = f"workspaces/{workspace.pk}/deletion"
    assert "name" in _send(client, "POST", path, '{"name": "别的"}', 422)["fields"]
    _send(client, "POST", path, '{"name": "山岚"}', 202)
    running.refresh_from_db()
    assert (running.status, ShareLink.objects.active().count()) == ("cancelled", 0)
    _send(client, "GET", f"workspaces/{workspace.pk}/overview", status=404)
    listed = _send(client, "GET", "workspaces")
    assert ([row["id"] for row in listed["deleted"]], listed["items"]) == ([str(workspace.pk)], [])
    _send(client_of_stranger, "DELETE", path, status=404)
    assert _send(client, "DELETE", path)["role"] == "owner"
    assert ShareLink.objects.active().count() == 1
    _send(client, "GET", f"workspaces/{workspace.pk}/overview")
    _send(client, "DELETE", path, status=404)
    assert make_diagnosis(owner, [platform]).workspace_id == workspace.pk
    _send(client, "DELETE", f"workspaces/{uuid.uuid4()}/deletion", status=404)
