"""Create and list workspaces."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.utils.translation import gettext as _

from diagnosis.choices import FINAL_STATUSES, WorkspaceRole
from diagnosis.models import Member, Workspace
from diagnosis.workspaces.defaults import build_name_key
from diagnosis.workspaces.names import BrandNames, store_names
from errors.exceptions import Conflict


def create_workspace(user: AbstractBaseUser, name: str, *, is_demo: bool) -> Member:
    """Create a workspace with the user as its owner; their later orders of the brand go there.

    Raises Conflict if the user has one of the brand, or owns too many.
    """
    key = build_name_key(name)
    with transaction.atomic():
        # The lock keeps concurrent requests from exceeding the limit.
        get_user_model().objects.select_for_update().get(pk=user.pk)
        owned = Member.objects.filter(user_id=user.pk, role=WorkspaceRole.OWNER, workspace__deleted_at=None)
        if owned.filter(workspace__key=key, workspace__is_demo=is_demo).exists():
            raise Conflict(fields={"name": _("你已有这个品牌的工作区。")})
        if owned.count() >= settings.WORKSPACES_PER_OWNER:
            params = {"most": settings.WORKSPACES_PER_OWNER}
            raise Conflict(fields={"name": _("最多 %(most)s 个工作区，请先删除一个。") % params})
        workspace = Workspace.objects.create(name=name, key=key, is_demo=is_demo, default_for_id=user.pk)
        store_names(workspace, [BrandNames(name, is_own=True)])
        return Member.objects.create(workspace=workspace, user_id=user.pk, role=WorkspaceRole.OWNER)


def serialize_workspace(member: Member) -> dict[str, Any]:
    """Serialize a workspace for one of its members."""
    workspace = member.workspace
    columns = ("id", "name", "names_version", "created_at")
    return {name: getattr(workspace, name) for name in columns} | {"demo": workspace.is_demo, "role": member.role}


def list_workspaces(user: AbstractBaseUser) -> list[dict[str, Any]]:
    """Return the user's workspaces with their runs, that with the latest diagnosis first, in one query."""
    ended = Q(workspace__diagnoses__status__in=FINAL_STATUSES, workspace__diagnoses__valid__gt=0)
    members = Member.objects.filter(user_id=user.pk, workspace__deleted_at=None).select_related("workspace")
    counted = members.annotate(
        runs=Count("workspace__diagnoses", filter=ended), last_run_at=Max("workspace__diagnoses__created_at")
    )
    return [
        serialize_workspace(member) | {"runs": member.runs, "last_run_at": member.last_run_at}
        for member in counted.order_by(F("last_run_at").desc(nulls_last=True), "-pk")
    ]
