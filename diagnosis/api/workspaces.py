"""HTTP API of workspaces: list, create, overview and runs."""

import uuid
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from ninja import Field, P, QueryEx, Router, Schema
from ninja import Status as Response

from diagnosis.api import serializers
from diagnosis.api.access import get_membership, get_request_user, get_workspace
from diagnosis.api.diagnoses import IdempotencyKey, build_request_context
from diagnosis.api.exports import build_file_response_schema
from diagnosis.api.history import get_history_page
from diagnosis.api.schemas import AcceptedOut, NameText, OrderIn
from diagnosis.choices import WorkspaceRole
from diagnosis.clients import require_consent
from diagnosis.models import Diagnosis, Workspace
from diagnosis.moderation import check_typed_texts
from diagnosis.orders.first_runs import start_workspace
from diagnosis.orders.workspace_deletion import get_purge_time, list_deleted
from diagnosis.reports.export.download import clean_filename, stream_file
from diagnosis.schedules.schemas import MAX_BUDGET_CALLS, MAX_BUDGET_MONEY
from diagnosis.spending.overview import get_workspace_use
from diagnosis.trends.schemas import SurfaceText
from diagnosis.workspaces.archive import count_parts, write_archive
from diagnosis.workspaces.overview import build_overview
from diagnosis.workspaces.panel_keys import build_panel_filter
from diagnosis.workspaces.runs import serialize_runs
from diagnosis.workspaces.schemas import OverviewOut, RunPage, WorkspaceList, WorkspaceOut
from diagnosis.workspaces.services import create_workspace, list_workspaces, serialize_workspace
from errors.exceptions import NotFound

router = Router(tags=["workspaces"])

PanelKey = QueryEx[str, P(max_length=64, description="the key of a panel; by default that of the latest run")]


class RenameIn(Schema):
    """The new name. Orders of the brand still come to the workspace."""

    name: NameText


class BudgetIn(Schema):
    """What the diagnoses of all members may use in a calendar month of the site's time zone; null is no limit."""

    calls: int | None = Field(ge=0, le=MAX_BUDGET_CALLS)
    money: Decimal | None = Field(ge=0, le=MAX_BUDGET_MONEY, max_digits=9, decimal_places=2, description="yuan")


class BudgetOut(BudgetIn):
    """The budget with what is used of it this month; calls in flight count at their maximum cost."""

    used_calls: int
    used_money: Decimal


class WorkspaceIn(Schema):
    """A new workspace. demo: for diagnoses of demo platforms."""

    name: NameText
    demo: bool = False


class StartIn(OrderIn):
    """A brand with its names, and what its first panel asks."""

    workspace: None = None


class StartedOut(AcceptedOut):
    """The first diagnosis, and its workspace."""

    workspace: uuid.UUID


@router.get("/workspaces", response=WorkspaceList, summary="List the workspaces", operation_id="list_workspaces")
def list_own(request: HttpRequest) -> dict[str, Any]:
    """Return the workspaces of which the caller is a member."""
    user = get_request_user(request)
    deleted = [
        {"id": row.pk, "name": row.name, "demo": row.is_demo, "deleted_at": row.deleted_at}
        | {"purged_at": get_purge_time(row.deleted_at)}
        for row in list_deleted(user)
        if row.deleted_at
    ]
    return {"items": list_workspaces(user), "deleted": deleted, "most": settings.WORKSPACES_PER_OWNER}


@router.post("/workspaces", response={201: WorkspaceOut}, summary="Create a workspace", operation_id="create_workspace")
def create(request: HttpRequest, body: WorkspaceIn) -> Response[dict[str, Any]]:
    """Create a workspace of a brand, with the caller as its owner. 409 if the caller has one of the brand."""
    user = get_request_user(request)
    check_typed_texts(user, {"name": body.name})
    return Response(201, serialize_workspace(create_workspace(user, body.name, is_demo=body.demo)))


@router.post(
    "/workspaces/start",
    response={202: StartedOut, 200: StartedOut},
    summary="Create a workspace and run",
    operation_id="start_workspace",
)
def start(request: HttpRequest, body: StartIn, idempotency_key: IdempotencyKey = None) -> Response[dict[str, Any]]:
    """Create a workspace with names, questions and a panel, and start its first diagnosis; as `POST /api/diagnoses`.

    409 if the caller has a workspace of the brand. Nothing is stored unless all is.
    """
    require_consent(get_request_user(request))
    diagnosis, is_new = start_workspace(body.to_request(), build_request_context(request, idempotency_key))
    accepted = serializers.serialize_accepted(diagnosis) | {"workspace": diagnosis.workspace_id}
    return Response(202 if is_new else 200, accepted)


@router.get(
    "/workspaces/{workspace_id}", response=WorkspaceOut, summary="Get a workspace", operation_id="get_workspace"
)
def get(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Return a workspace with the caller's role."""
    return serialize_workspace(get_membership(request, workspace_id))


@router.patch(
    "/workspaces/{workspace_id}", response=WorkspaceOut, summary="Rename the workspace", operation_id="rename_workspace"
)
def rename(request: HttpRequest, workspace_id: uuid.UUID, body: RenameIn) -> dict[str, Any]:
    """Give the workspace another name. The names that its runs look for stay."""
    member = get_membership(request, workspace_id, WorkspaceRole.OWNER)
    check_typed_texts(get_request_user(request), {"name": body.name})
    member.workspace.name = body.name
    member.workspace.save(update_fields=["name"])
    return serialize_workspace(member)


@router.get(
    "/workspaces/{workspace_id}/budget",
    response=BudgetOut,
    summary="Get the budget",
    operation_id="get_workspace_budget",
)
def get_budget(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Return the budget of a month and its use."""
    return _serialize_budget(get_workspace(request, workspace_id))


@router.put(
    "/workspaces/{workspace_id}/budget",
    response=BudgetOut,
    summary="Set the budget",
    operation_id="set_workspace_budget",
)
def set_budget(request: HttpRequest, workspace_id: uuid.UUID, body: BudgetIn) -> dict[str, Any]:
    """Limit what orders, schedules and retries in the workspace use, in addition to the members' own budgets."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.OWNER)
    workspace.budget_calls, workspace.budget_money = body.calls, body.money
    workspace.save(update_fields=["budget_calls", "budget_money"])
    return _serialize_budget(workspace)


def _serialize_budget(workspace: Workspace) -> dict[str, Any]:
    calls, money = get_workspace_use(workspace.pk)
    budget = {"calls": workspace.budget_calls, "money": workspace.budget_money}
    return budget | {"used_calls": calls, "used_money": money}


@router.get(
    "/workspaces/{workspace_id}/overview",
    response=OverviewOut,
    summary="Get the overview",
    operation_id="get_workspace_overview",
)
def get_overview(
    request: HttpRequest, workspace_id: uuid.UUID, panel: PanelKey = "", surface: SurfaceText | None = None
) -> dict[str, Any]:
    """Return what changed, the figures, the trend, the platforms and the lost questions of one panel."""
    member = get_membership(request, workspace_id)
    overview = build_overview(member.workspace, panel.replace("\x00", ""), surface)
    return {"workspace": serialize_workspace(member)} | overview


@router.get(
    "/workspaces/{workspace_id}/export.zip",
    openapi_extra=build_file_response_schema("application/zip"),
    summary="Export the workspace",
    operation_id="export_workspace",
)
def export(
    request: HttpRequest, workspace_id: uuid.UUID, part: QueryEx[int, P(ge=1, le=10_000)] = 1
) -> StreamingHttpResponse:
    """Return a ZIP: settings (JSON), figures of all runs (CSV), and complete runs (JSON), 100 in each part.

    `parts` in workspace.json says how many there are; part 1 has the newest runs. 404 beyond the last.
    """
    workspace = get_workspace(request, workspace_id)
    if part > count_parts(workspace):
        raise NotFound
    response = stream_file(request, "application/zip", partial(write_archive, workspace=workspace, part=part))
    filename = f"{clean_filename(workspace.name)}-{timezone.localdate():%Y%m%d}-{part}.zip"
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return response


@router.get(
    "/workspaces/{workspace_id}/runs", response=RunPage, summary="List the runs", operation_id="list_workspace_runs"
)
def list_runs(request: HttpRequest, workspace_id: uuid.UUID, cursor: str = "", panel: PanelKey = "") -> dict[str, Any]:
    """Return a page of the diagnoses of a workspace, newest first, with the own brand's rate and its change."""
    runs = Diagnosis.objects.filter(workspace=get_workspace(request, workspace_id))
    runs = runs.filter(build_panel_filter(panel.replace("\x00", ""))) if panel else runs
    page, next_cursor = get_history_page(runs.select_related("owner", "panel_version__panel").defer("report"), cursor)
    return {"items": serialize_runs(page), "next": next_cursor}
