"""HTTP API of the schedules of a workspace's panels. Pause, resume and delete them by `/api/schedules/{id}`."""

import uuid
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router
from ninja import Status as Response

from diagnosis.api.access import get_request_user, get_workspace
from diagnosis.api.schedules import get_platforms_of_caller, serialize_estimate, serialize_schedules
from diagnosis.choices import WorkspaceRole
from diagnosis.models import Schedule, Workspace
from diagnosis.schedules.estimates import estimate_cost
from diagnosis.schedules.schemas import EstimateOut, PanelEstimateIn, PanelScheduleIn, ScheduleOut
from diagnosis.schedules.services import build_panel_schedule, has_duplicate, store_schedule
from diagnosis.workspaces.panels import find_panel
from errors.exceptions import Conflict
from errors.problems import get_current_locale

router = Router(tags=["workspace schedules"])

MAX_SCHEDULES_PER_WORKSPACE = 20


@router.get(
    "/workspaces/{workspace_id}/schedules",
    response=list[ScheduleOut],
    summary="List the schedules",
    operation_id="list_workspace_schedules",
)
def list_of_workspace(request: HttpRequest, workspace_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return all schedules of a workspace with their estimates and the spending of this month."""
    schedules = Schedule.objects.filter(workspace=get_workspace(request, workspace_id))
    return serialize_schedules(request, list(schedules[:MAX_SCHEDULES_PER_WORKSPACE]))


@router.post(
    "/workspaces/{workspace_id}/schedules/estimate",
    response=EstimateOut,
    summary="Estimate a schedule of a panel",
    operation_id="estimate_workspace_schedule",
)
def estimate(request: HttpRequest, workspace_id: uuid.UUID, body: PanelEstimateIn) -> dict[str, Any]:
    """Return calls, money and duration per run and per month. Nothing is stored."""
    schedule = _build(request, get_workspace(request, workspace_id, WorkspaceRole.EDITOR), body)
    platforms = get_platforms_of_caller(request)
    serialized = serialize_estimate(schedule, estimate_cost(schedule, platforms), platforms.by_id)
    return serialized | {"is_duplicate": has_duplicate(schedule)}


@router.post(
    "/workspaces/{workspace_id}/schedules",
    response={201: ScheduleOut},
    summary="Schedule a panel",
    operation_id="create_workspace_schedule",
)
def create_schedule(request: HttpRequest, workspace_id: uuid.UUID, body: PanelScheduleIn) -> Response[dict[str, Any]]:
    """Run a panel every day, week or month, each time in its current version and with the workspace's names."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.EDITOR)
    schedule = _build(request, workspace, body)
    if Schedule.objects.filter(workspace=workspace).count() >= MAX_SCHEDULES_PER_WORKSPACE:
        params = {"most": MAX_SCHEDULES_PER_WORKSPACE}
        raise Conflict(fields={"panel": _("最多 %(most)s 个定期诊断，请先删除一个。") % params})
    stored = store_schedule(schedule, confirms_duplicate=body.confirm_duplicate)
    return Response(201, serialize_schedules(request, [stored])[0])


def _build(request: HttpRequest, workspace: Workspace, body: PanelScheduleIn | PanelEstimateIn) -> Schedule:
    panel = find_panel(workspace, body.panel)
    return build_panel_schedule(panel, body, get_request_user(request), get_current_locale())
