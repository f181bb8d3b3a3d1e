"""Who may see what: the one rule for diagnoses, schedules, exports and event streams."""

import uuid
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q

from diagnosis.choices import WorkspaceRole
from progress.access import Subscription

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser


def can_view_all_diagnoses(user: "AbstractBaseUser | AnonymousUser") -> bool:
    """Return whether the user may see the diagnoses of others; not every staff role may."""
    return getattr(user, "is_staff", False) and user.has_perm("diagnosis.view_diagnosis")  # type: ignore[union-attr]


def find_workspace_ids(user_id: int, role: WorkspaceRole = WorkspaceRole.VIEWER) -> list[uuid.UUID]:
    """Return the workspaces in which the user has at least this role, without those that are being deleted."""
    rows = apps.get_model("diagnosis", "Member").objects.filter(
        user_id=user_id, role__in=role.list_sufficient(), workspace__deleted_at=None
    )
    return list(rows.values_list("workspace_id", flat=True))


def build_access_filter(user_id: int, role: WorkspaceRole = WorkspaceRole.VIEWER) -> Q:
    """Return the condition on rows with `owner` and `workspace` that the user may see, or change with another role.

    A row of a workspace belongs to its members, also if the user created it: a removed member loses access at once. A
    row without a workspace belongs to its owner. The ids are read first, so that both conditions use an index.
    """
    return Q(workspace__in=find_workspace_ids(user_id, role)) | Q(workspace=None, owner_id=user_id)


def build_stream_filter(user_id: int) -> Q:
    """Return the condition on event streams: of a visible diagnosis, or the user's own without a diagnosis."""
    of_stream = apps.get_model("diagnosis", "Diagnosis").objects.filter(stream=OuterRef("pk"))
    return Exists(of_stream.filter(build_access_filter(user_id))) | (Q(owner_id=user_id) & ~Exists(of_stream))


def find_lost_access_to_streams(subscriptions: Collection[Subscription]) -> set[Subscription]:
    """Return those of users who are no longer members of the diagnosis' workspace, in three queries for all."""
    streams = {subscription.stream_id for subscription in subscriptions}
    diagnoses = apps.get_model("diagnosis", "Diagnosis").objects.filter(stream__in=streams, workspace__isnull=False)
    workspaces = dict(diagnoses.values_list("stream_id", "workspace_id"))
    members = apps.get_model("diagnosis", "Member").objects.filter(
        workspace__in=set(workspaces.values()), workspace__deleted_at=None
    )
    known = set(members.values_list("workspace_id", "user_id"))
    lost = {
        subscription
        for subscription in subscriptions
        if subscription.stream_id in workspaces
        and (workspaces[subscription.stream_id], subscription.user_id) not in known
    }
    user_ids = {subscription.user_id for subscription in lost}
    # What staff may see depends on their permissions, not on memberships.
    staff = set(get_user_model().objects.filter(pk__in=user_ids, is_staff=True).values_list("pk", flat=True))
    return {subscription for subscription in lost if subscription.user_id not in staff}
