"""HTTP API of a workspace's members, invitations and deletion."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja import Status as Response

from diagnosis.api.access import get_membership, get_request_user, get_workspace
from diagnosis.choices import WorkspaceRole
from diagnosis.models import Invitation
from diagnosis.orders.workspace_deletion import request_deletion, undo_deletion
from diagnosis.workspaces.members import (
    accept_invitation,
    change_role,
    create_invitation,
    find_member,
    list_members,
    remove_member,
    revoke_invitation,
)
from diagnosis.workspaces.schemas import RoleText, WorkspaceOut
from diagnosis.workspaces.services import serialize_workspace

router = Router(tags=["workspace members"])

_OWNER = WorkspaceRole.OWNER


class MemberOut(Schema):
    """A member of a workspace."""

    id: uuid.UUID
    name: str
    role: RoleText
    joined_at: datetime
    is_you: bool


class RoleIn(Schema):
    """The new role of a member."""

    role: RoleText


class InvitationIn(Schema):
    """The role that the invited person gets; an owner can then give them another."""

    role: Literal["viewer", "editor"]
    email: str = Field(default="", max_length=254, description="only the account with this address may accept it")


class InvitationOut(Schema):
    """An open invitation."""

    id: uuid.UUID
    role: Literal["viewer", "editor"]
    email: str = Field(description="empty for anyone with the link")
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    """url: the page of the invitation, with its token, which is shown this once."""

    token: str
    url: str


class AcceptIn(Schema):
    """The token of an invitation."""

    token: str = Field(min_length=1, max_length=128)


class DeletionIn(Schema):
    """The name of the workspace, to confirm."""

    name: str = Field(max_length=100)


class DeletionOut(Schema):
    """Until when the deletion can be undone."""

    purged_at: datetime


@router.get(
    "/workspaces/{workspace_id}/members",
    response=list[MemberOut],
    summary="List the members",
    operation_id="list_workspace_members",
)
def list_all_members(request: HttpRequest, workspace_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the members, those who joined first at the top."""
    return list_members(get_workspace(request, workspace_id), get_request_user(request))


@router.patch(
    "/workspaces/{workspace_id}/members/{member_id}",
    response={204: None},
    summary="Change a role",
    operation_id="change_member_role",
)
def edit_role(request: HttpRequest, workspace_id: uuid.UUID, member_id: uuid.UUID, body: RoleIn) -> Response[None]:
    """Give a member another role. 409 for the last owner."""
    member = find_member(get_workspace(request, workspace_id, _OWNER), member_id)
    change_role(member, WorkspaceRole(body.role))
    return Response(204, None)


@router.delete(
    "/workspaces/{workspace_id}/members/{member_id}",
    response={204: None},
    summary="Remove a member, or leave",
    operation_id="remove_workspace_member",
)
def delete_member(request: HttpRequest, workspace_id: uuid.UUID, member_id: uuid.UUID) -> Response[None]:
    """Remove a member, which only owners may, or leave. Access ends at once. 409 for the last owner."""
    own = get_membership(request, workspace_id)
    role = WorkspaceRole.VIEWER if own.pk == member_id else _OWNER
    remove_member(find_member(get_workspace(request, workspace_id, role), member_id))
    return Response(204, None)


@router.get(
    "/workspaces/{workspace_id}/invitations",
    response=list[InvitationOut],
    summary="List the open invitations",
    operation_id="list_workspace_invitations",
)
def list_invitations(request: HttpRequest, workspace_id: uuid.UUID) -> list[Invitation]:
    """Return the invitations that can still be accepted, without their tokens."""
    return list(Invitation.objects.open().filter(workspace=get_workspace(request, workspace_id, _OWNER)))


@router.post(
    "/workspaces/{workspace_id}/invitations",
    response={201: NewInvitationOut},
    summary="Invite a member",
    operation_id="invite_workspace_member",
)
def invite(request: HttpRequest, workspace_id: uuid.UUID, body: InvitationIn) -> Response[dict[str, Any]]:
    """Create a link that makes the first person who accepts it a member, within seven days."""
    workspace = get_workspace(request, workspace_id, _OWNER)
    user = get_request_user(request)
    invitation, token = create_invitation(workspace, WorkspaceRole(body.role), user, email=body.email)
    names = ("id", "role", "email", "created_at", "expires_at")
    url = request.build_absolute_uri(f"/join/{token}/")
    return Response(201, {name: getattr(invitation, name) for name in names} | {"token": token, "url": url})


@router.delete(
    "/workspaces/{workspace_id}/invitations/{invitation_id}",
    response={204: None},
    summary="Revoke an invitation",
    operation_id="revoke_workspace_invitation",
)
def revoke_open(request: HttpRequest, workspace_id: uuid.UUID, invitation_id: uuid.UUID) -> Response[None]:
    """Revoke an open invitation."""
    revoke_invitation(get_workspace(request, workspace_id, _OWNER), invitation_id)
    return Response(204, None)


@router.post(
    "/invitations/accept", response=WorkspaceOut, summary="Accept an invitation", operation_id="accept_invitation"
)
def join(request: HttpRequest, body: AcceptIn) -> dict[str, Any]:
    """Join a workspace. 404 for a token that is unknown, used, revoked or expired, 409 for another's address."""
    return serialize_workspace(accept_invitation(body.token, get_request_user(request)))


@router.post(
    "/workspaces/{workspace_id}/deletion",
    response={202: DeletionOut},
    summary="Delete the workspace",
    operation_id="delete_workspace",
)
def delete_workspace(request: HttpRequest, workspace_id: uuid.UUID, body: DeletionIn) -> Response[dict[str, Any]]:
    """Hide the workspace from its members and stop runs, schedules and links; after seven days all its rows go."""
    return Response(202, {"purged_at": request_deletion(get_workspace(request, workspace_id, _OWNER), body.name)})


@router.delete(
    "/workspaces/{workspace_id}/deletion",
    response=WorkspaceOut,
    summary="Undo the deletion",
    operation_id="undo_workspace_deletion",
)
def undo_deletion_of_workspace(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Bring the workspace back within seven days. Schedules run again, cancelled runs stay cancelled."""
    return serialize_workspace(undo_deletion(workspace_id, get_request_user(request)))
