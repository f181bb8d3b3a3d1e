"""Every route of a workspace by role: viewers change nothing, editors no members, removed members are strangers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Member
from diagsite.models import User
from testing.data.access import AccessFixtures
from tests.access.test_access_table import read_access_table

# Requests that are valid without a body are not listed.
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", ""): {"name": "新"},
    ("PUT", "/budget"): {"calls": 1, "money": None},
    ("POST", "/deletion"): {"name": "山岚"},
    ("POST", "/invitations"): {"role": "viewer"},
    ("PATCH", "/members/<member_id>"): {"role": "owner"},
    ("POST", "/shares"): {"days": 1},
    ("PUT", "/digest"): {"every": "weekly"},
    ("PATCH", "/actions/<action_id>"): {"note": "记"},
    ("PUT", "/sources/<path:host>"): {"kind": "media"},
    ("PATCH", "/questions/<question_id>"): {"tags": []},
    ("POST", "/questions"): {"text": "丁？"},
    ("POST", "/questions/import"): {"content": "戊？"},
}
# Of the rest, what a viewer may do.
OF_VIEWERS = {("PUT", "/digest"), ("DELETE", "/digest"), ("POST", "/print")}
OF_OWNERS = {
    ("PATCH", ""),
    ("PUT", "/budget"),
    ("POST", "/deletion"),
    ("POST", "/invitations"),
    ("PATCH", "/members/<member_id>"),
    ("POST", "/shares"),
    ("GET", "/invitations"),
    ("GET", "/shares"),
    ("DELETE", "/shares/<share_id>"),
    ("DELETE", "/invitations/<invitation_id>"),
    ("DELETE", "/members/<member_id>"),
}
PREFIX = "api/workspaces/<workspace_id>"


def _iter_routes() -> Iterator[tuple[str, str]]:
    for row in read_access_table():
        if row.route.startswith(PREFIX):
            yield row.method, row.route.removeprefix(PREFIX)


def _request(world: AccessFixtures, client: Client, method: str, end: str) -> int:
    """Make a request whose writes are rolled back."""
    with transaction.atomic():
        body = json.dumps(BODIES.get((method, end), {}))
        path = world.build_path(PREFIX + end)
        status = client.generic(method, path, body, content_type="application/json").status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.django_db
def test_roles_of_members_hold_at_every_route() -> None:
    world = AccessFixtures()
    workspace = world.diagnosis.workspace
    assert workspace
    clients = {}
    for role in ("viewer", "editor", "removed"):
        user = User.objects.create(username=f"member-{role}")
        clients[role] = Client()
        clients[role].force_login(user)
        if role != "removed":
            Member.objects.create(workspace=workspace, user=user, role=WorkspaceRole(role))
    clients |= {"stranger": world.client_by_actor["stranger"]}
    for method, end in _iter_routes():
        route = method, end
        status = {name: _request(world, client, method, end) for name, client in clients.items()}
        assert status["removed"] == status["stranger"], route
        if status["stranger"] == 422:  # its body is checked before the caller; the table has its rows
            continue
        assert status["stranger"] == 404, route
        if end == "/deletion" and method == "DELETE":
            continue  # there is nothing to undo
        may_view = (method == "GET" and route not in OF_OWNERS) or route in OF_VIEWERS
        assert (status["viewer"] == 403) is not may_view, (route, status)
        assert (status["editor"] == 403) is (route in OF_OWNERS), (route, status)
