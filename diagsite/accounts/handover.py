"""What becomes of workspaces when an account is deleted: other owners take over, without any the workspace goes too."""

import uuid

from django.db.models import Exists, OuterRef, QuerySet

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Diagnosis, Member, PaidCall, Workspace
from diagsite.models import User
from progress.models import Stream


def _select_owners() -> QuerySet[Member]:
    return Member.objects.filter(workspace=OuterRef("pk"), role=WorkspaceRole.OWNER)


def find_solely_owned_workspaces(user_id: int) -> list[uuid.UUID]:
    """Return the workspaces that have no other owner."""
    owners = _select_owners()
    owned = Workspace.objects.filter(Exists(owners.filter(user=user_id)), ~Exists(owners.exclude(user=user_id)))
    return list(owned.values_list("pk", flat=True))


def find_workspaces_of_others(user_id: int) -> list[uuid.UUID]:
    """Return the workspaces with another owner in which the user has diagnoses, schedules or a membership."""
    ids = set(Diagnosis.objects.filter(owner=user_id).order_by().values_list("workspace", flat=True).distinct())
    ids |= set(Member.objects.filter(user=user_id).values_list("workspace", flat=True))
    with_others = Workspace.objects.filter(Exists(_select_owners().exclude(user=user_id)), pk__in=ids)
    return list(with_others.values_list("pk", flat=True))


def hand_over_workspaces(user: User) -> None:
    """Make the first other owner of each workspace the owner of the user's diagnoses in it; schedules are deleted."""
    for workspace_id in find_workspaces_of_others(user.pk):
        owners = Member.objects.filter(workspace=workspace_id, role=WorkspaceRole.OWNER).exclude(user=user.pk)
        heir_id = owners.earliest("joined_at", "pk").user_id
        diagnoses = Diagnosis.objects.filter(workspace=workspace_id, owner=user)
        PaidCall.objects.filter(diagnosis__in=diagnoses).update(owner=heir_id)
        Stream.objects.filter(pk__in=diagnoses.values("stream_id")).update(owner=heir_id)
        diagnoses.update(owner=heir_id, idempotency_key=None)
