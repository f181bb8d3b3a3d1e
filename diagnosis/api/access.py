"""The caller of a route, and the diagnoses and workspaces that they may see or change."""

import uuid
from typing import cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from diagnosis.choices import WorkspaceRole
from diagnosis.models import Diagnosis, Member, Workspace, can_view_all_diagnoses, find_workspace_ids
from errors.exceptions import Forbidden, NotFound


def get_request_user(request: HttpRequest) -> AbstractBaseUser:
    """Return the authenticated caller."""
    return cast(AbstractBaseUser, request.auth)  # type: ignore[attr-defined]


def get_visible_diagnosis(
    request: HttpRequest, diagnosis_id: str, role: WorkspaceRole = WorkspaceRole.VIEWER
) -> Diagnosis:
    """Return a diagnosis, without its report, that the caller may see.

    Raises NotFound, the same for a foreign id and an unknown one, and Forbidden if the caller is a member of its
    workspace without the role.
    """
    user = get_request_user(request)
    try:
        visible = Diagnosis.objects.visible_to(user).select_related("owner").defer("report")
        diagnosis = visible.get(pk=uuid.UUID(diagnosis_id))
    except (ValueError, Diagnosis.DoesNotExist) as error:
        raise NotFound from error
    is_checked = role == WorkspaceRole.VIEWER or diagnosis.workspace_id is None or can_view_all_diagnoses(user)
    if not is_checked and diagnosis.workspace_id not in find_workspace_ids(user.pk, role):
        raise Forbidden
    return diagnosis


def get_membership(request: HttpRequest, workspace_id: uuid.UUID, role: WorkspaceRole = WorkspaceRole.VIEWER) -> Member:
    """Return the caller's membership with its workspace.

    Raises NotFound for strangers, and Forbidden for members without the role. Not even staff may use the workspaces of
    others through the API.
    """
    members = Member.objects.select_related("workspace").filter(workspace__deleted_at=None)
    member = members.filter(workspace=workspace_id, user_id=get_request_user(request).pk).first()
    if member is None:
        raise NotFound
    if member.role not in role.list_sufficient():
        raise Forbidden
    return member


def get_workspace(
    request: HttpRequest, workspace_id: uuid.UUID, role: WorkspaceRole = WorkspaceRole.VIEWER
) -> Workspace:
    """Return a workspace in which the caller has the role; raises the same as `get_membership`."""
    return get_membership(request, workspace_id, role).workspace
