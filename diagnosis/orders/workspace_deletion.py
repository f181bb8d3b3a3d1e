"""Request and undo the deletion of a workspace; after seven days `diagsite.operations.workspace_purge` deletes it."""

import uuid
from datetime import datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Diagnosis, Member, Workspace
from diagnosis.orders.services import cancel_diagnosis
from errors.exceptions import InvalidInput, NotFound

DELETION_DAYS = 7


def request_deletion(workspace: Workspace, name: str) -> datetime:
    """Hide a workspace, stop its schedules and links, and cancel its runs; returns when its rows go.

    Raises InvalidInput unless `name` is that of the workspace.
    """
    if name.strip() != workspace.name:
        raise InvalidInput(fields={"name": _("请输入工作区的名称“%(name)s”。") % {"name": workspace.name}})
    with transaction.atomic():
        locked = Workspace.objects.select_for_update().get(pk=workspace.pk)
        locked.deleted_at = locked.deleted_at or timezone.now()
        locked.default_for = None  # a later order of the brand gets a new workspace
        locked.save(update_fields=["deleted_at", "default_for"])
    for diagnosis in Diagnosis.objects.filter(workspace=workspace).unfinished().defer("report"):
        cancel_diagnosis(diagnosis)
    return get_purge_time(locked.deleted_at)


def get_purge_time(deleted_at: datetime) -> datetime:
    """Return until when a deletion can be undone."""
    return deleted_at + timedelta(days=DELETION_DAYS)


def list_deleted(user: AbstractBaseUser) -> list[Workspace]:
    """Return the workspaces of an owner that are being deleted."""
    owned = Workspace.objects.filter(members__user_id=user.pk, members__role=WorkspaceRole.OWNER)
    return list(owned.filter(deleted_at__isnull=False).order_by("-deleted_at"))


def undo_deletion(workspace_id: uuid.UUID, user: AbstractBaseUser) -> Member:
    """Bring a workspace back for its members. Raises NotFound for those who are no owner, and after the deletion."""
    with transaction.atomic():
        owned = Workspace.objects.filter(deleted_at__isnull=False, pk=workspace_id)
        workspace = owned.select_for_update().first()
        member = Member.objects.filter(workspace=workspace, user_id=user.pk, role=WorkspaceRole.OWNER).first()
        if workspace is None or member is None:
            raise NotFound
        defaults = Workspace.objects.filter(default_for_id=user.pk, key=workspace.key, is_demo=workspace.is_demo)
        workspace.default_for_id = None if defaults.exists() else user.pk
        workspace.deleted_at = None
        workspace.save(update_fields=["deleted_at", "default_for"])
        member.workspace = workspace
    return member
