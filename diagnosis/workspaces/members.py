"""Members and invitations. A workspace always has an owner: the last one can neither leave nor get another role."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Invitation, Member, Schedule, Workspace
from errors.exceptions import Conflict, InvalidInput, NotFound

MAX_MEMBERS = 20
MAX_INVITATIONS = 20
INVITATION_DAYS = 7


def list_members(workspace: Workspace, user: AbstractBaseUser) -> list[dict[str, Any]]:
    """Return the members, those who joined first at the top."""
    members = Member.objects.filter(workspace=workspace).select_related("user")
    return [
        {
            "id": member.pk,
            "name": member.user.get_full_name() or member.user.get_username(),
            "role": member.role,
            "joined_at": member.joined_at,
            "is_you": member.user_id == user.pk,
        }
        for member in members
    ]


def find_member(workspace: Workspace, member_id: UUID) -> Member:
    """Return a member of the workspace. Raises NotFound."""
    member = Member.objects.filter(workspace=workspace, pk=member_id).first()
    if member is None:
        raise NotFound
    return member


def change_role(member: Member, role: WorkspaceRole) -> None:
    """Give a member another role. Raises Conflict for the last owner."""
    with transaction.atomic():
        locked = _lock(member)
        if role != WorkspaceRole.OWNER:
            _check_other_owner(locked)
        locked.role = role
        locked.save(update_fields=["role"])
        if role == WorkspaceRole.VIEWER:
            _stop_default_orders(locked)


def remove_member(member: Member) -> None:
    """Remove a member, who loses access at once; what they ordered stays. Raises Conflict for the last owner."""
    with transaction.atomic():
        locked = _lock(member)
        _check_other_owner(locked)
        _stop_default_orders(locked)
        locked.delete()


def _lock(member: Member) -> Member:
    """Lock the workspace, so that two owners cannot leave at the same time. Raises NotFound if they have left."""
    Workspace.objects.select_for_update().get(pk=member.workspace_id)
    locked = Member.objects.filter(pk=member.pk).first()
    if locked is None:
        raise NotFound
    return locked


def _check_other_owner(member: Member) -> None:
    owners = Member.objects.filter(workspace=member.workspace_id, role=WorkspaceRole.OWNER)
    if member.role == WorkspaceRole.OWNER and not owners.exclude(pk=member.pk).exists():
        raise Conflict(fields={"role": _("工作区至少要有一个所有者，请先把另一个成员设为所有者。")})


def _stop_default_orders(member: Member) -> None:
    """Orders of this user that name no workspace must not come here any longer.

    Their schedules are paused and pass to an owner, whose budget pays for them once someone resumes them.
    """
    Workspace.objects.filter(pk=member.workspace_id, default_for=member.user_id).update(default_for=None)
    owners = Member.objects.filter(workspace=member.workspace_id, role=WorkspaceRole.OWNER).exclude(pk=member.pk)
    schedules = Schedule.objects.filter(workspace=member.workspace_id, owner=member.user_id)
    schedules.update(owner=owners.earliest("joined_at", "pk").user_id, is_paused=True)


def create_invitation(
    workspace: Workspace, role: WorkspaceRole, user: AbstractBaseUser, *, email: str = ""
) -> tuple[Invitation, str]:
    """Create a one-use invitation; returns it with its token, which is not stored.

    email: the address that the accepting account must have. Raises Conflict at the limits, InvalidInput for a text
    that is no address.
    """
    email = email.strip().lower()
    if email:
        _check_address(email)
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        if Invitation.objects.open().filter(workspace=workspace).count() >= MAX_INVITATIONS:
            raise Conflict(fields={"role": _("最多 %(most)s 个未接受的邀请。") % {"most": MAX_INVITATIONS}})
        _check_room(workspace)
        invitation = Invitation.objects.create(
            workspace=workspace,
            role=role,
            email=email,
            token_hash=_hash_token(token),
            created_by_id=user.pk,
            expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
        )
    return invitation, token


def _check_address(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput(fields={"email": _("请输入有效的邮箱地址。")}) from error


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _check_room(workspace: Workspace) -> None:
    if Member.objects.filter(workspace=workspace).count() >= MAX_MEMBERS:
        raise Conflict(fields={"role": _("最多 %(most)s 个成员。") % {"most": MAX_MEMBERS}})


def revoke_invitation(workspace: Workspace, invitation_id: UUID) -> None:
    """Revoke an open invitation. Raises NotFound without one."""
    invitations = Invitation.objects.open().filter(workspace=workspace, pk=invitation_id)
    if not Invitation.objects.filter(pk__in=invitations.values("pk")).update(revoked_at=timezone.now()):
        raise NotFound


def find_invitation(token: str) -> Invitation | None:
    """Return the open invitation of a token with its workspace."""
    return Invitation.objects.open().filter(token_hash=_hash_token(token)).select_related("workspace").first()


def accept_invitation(token: str, user: AbstractBaseUser) -> Member:
    """Make the user a member; a member stays as they are, and the invitation stays open.

    Raises NotFound for an unknown, used, revoked or expired token, Conflict if the workspace is full, or if the
    invitation is for an address that is not the account's. Operators set the addresses of accounts.
    """
    with transaction.atomic():
        found = find_invitation(token)
        if found is None:
            raise NotFound
        workspace = Workspace.objects.select_for_update().get(pk=found.workspace_id)
        invitation = Invitation.objects.open().filter(pk=found.pk).first()  # one of two who accept it
        member = Member.objects.select_related("workspace").filter(workspace=workspace, user_id=user.pk).first()
        if member:
            return member
        if invitation is None:
            raise NotFound
        if invitation.email and invitation.email != getattr(user, "email", "").strip().lower():
            raise Conflict(fields={"email": _("这个邀请只能由受邀邮箱的账号接受，请用那个账号登录。")})
        _check_room(workspace)
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        return Member.objects.create(workspace=workspace, user_id=user.pk, role=invitation.role)
