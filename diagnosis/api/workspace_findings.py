"""HTTP API of a workspace's sources and actions."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, P, QueryEx, Router, Schema

from diagnosis.api.access import get_request_user, get_workspace
from diagnosis.api.workspaces import PanelKey
from diagnosis.choices import WorkspaceRole
from diagnosis.models import SourceClass
from diagnosis.moderation import check_typed_texts
from diagnosis.reports.schemas import SiteKindText
from diagnosis.sites import normalize_site
from diagnosis.workspaces.actions import (
    UNDECIDED_STATES,
    ActionChange,
    change_action,
    find_action,
    find_latest_runs,
    list_actions,
    list_evidence,
    serialize_actions,
)
from diagnosis.workspaces.schemas import ActionOut, ActionStateText
from diagnosis.workspaces.sources import (
    DEFAULT_SOURCE_RUNS,
    MAX_SOURCE_RUNS,
    build_sources_page,
    list_host_pages,
    select_scope,
)
from errors.exceptions import NotFound

router = Router(tags=["workspace findings"])

RunCount = QueryEx[int, P(ge=1, le=MAX_SOURCE_RUNS, description="so many of the newest runs")]
SourceSurface = Literal["search", "app"]


class WorkspaceHostOut(Schema):
    """A host in cited of all answers. gap: answers that cite it and name a rival only; is_gap: enough of them.

    kind: null is unclassified; brand: whose site it is.
    """

    host: str
    kind: SiteKindText | None
    brand: str | None
    pages: int
    listed: int
    cited: int
    rate: float | None
    low: float | None
    high: float | None
    gap: int
    is_gap: bool


class WorkspaceSourcesOut(Schema):
    """The hosts of the newest runs. answers: of platforms that tell their sources; untold: of the others, by id.

    A host can stand in many of them, so the rates add up to more than 1.
    """

    surface: SourceSurface
    runs: int
    answers: int
    untold: dict[str, int]
    gap_answers: int
    hosts: list[WorkspaceHostOut]


class CitedPlaceOut(Schema):
    """A part of an answer that cites a page, with the text around it."""

    before: str
    text: str
    after: str


class HostUseOut(Schema):
    """An answer that names a page. spans: where its text cites it; places: the first three with their text."""

    diagnosis: uuid.UUID
    answer: uuid.UUID
    question: str
    platform: str
    cited: Literal["yes", "no", "unknown"]
    spans: list[tuple[int, int]]
    places: list[CitedPlaceOut]
    answered_at: datetime | None


class HostPageOut(Schema):
    """A page of a host. answers: how many name it, of which `uses` has the newest twenty."""

    page: str
    url: str
    title: str
    answers: int
    uses: list[HostUseOut]


class HostOut(Schema):
    """Pages of a host, those in most answers first. next: the cursor of the following ones."""

    host: str
    pages: list[HostPageOut]
    next: int | None


class HostKindIn(Schema):
    """The kind of a site in this workspace; null restores that of the site's table."""

    kind: Literal["media", "community", "shop", "reference"] | None


class ActionChangeIn(Schema):
    """What to change; null leaves it. assignee: the id of a member; unassign: leave it to nobody."""

    state: ActionStateText | None = None
    assignee: uuid.UUID | None = None
    unassign: bool = False
    note: str | None = Field(default=None, max_length=500, pattern="^[^\x00]*$")


class EvidenceOut(Schema):
    """An answer behind an action."""

    answer: uuid.UUID
    diagnosis: uuid.UUID
    started_at: datetime
    question: str
    platform: str
    excerpt: str = Field(description="the beginning of its text")


@router.get(
    "/workspaces/{workspace_id}/sources",
    response=WorkspaceSourcesOut,
    summary="List the hosts",
    operation_id="list_workspace_sources",
)
def list_hosts(
    request: HttpRequest,
    workspace_id: uuid.UUID,
    panel: PanelKey = "",
    runs: RunCount = DEFAULT_SOURCE_RUNS,
    surface: SourceSurface = "search",
) -> dict[str, Any]:
    """Return the hosts that answers of the newest runs name as sources, of all panels or of one."""
    workspace = get_workspace(request, workspace_id)
    return build_sources_page(workspace, select_scope(workspace, panel.replace("\x00", ""), runs, surface))


@router.get(
    "/workspaces/{workspace_id}/sources/{path:host}",
    response=HostOut,
    summary="List the pages of a host",
    operation_id="list_workspace_host",
)
def get_host_pages(
    request: HttpRequest,
    workspace_id: uuid.UUID,
    host: str,
    panel: PanelKey = "",
    runs: RunCount = DEFAULT_SOURCE_RUNS,
    surface: SourceSurface = "search",
    cursor: QueryEx[int, P(ge=0, le=100_000)] = 0,
) -> dict[str, Any]:
    """Return the pages of a host with the answers that name them."""
    workspace = get_workspace(request, workspace_id)
    scope = select_scope(workspace, panel.replace("\x00", ""), runs, surface)
    return list_host_pages(scope, host.replace("\x00", "").lower(), cursor)


@router.put(
    "/workspaces/{workspace_id}/sources/{path:host}",
    response=HostKindIn,
    summary="Class a host",
    operation_id="class_workspace_host",
)
def class_host(request: HttpRequest, workspace_id: uuid.UUID, host: str, body: HostKindIn) -> dict[str, Any]:
    """Set the kind of a host, with its subdomains, for this workspace. Own and rival sites follow the brands."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.EDITOR)
    normalized = normalize_site(host)
    if not normalized:
        raise NotFound
    if body.kind is None:
        SourceClass.objects.filter(workspace=workspace, host=normalized).delete()
    else:
        SourceClass.objects.update_or_create(workspace=workspace, host=normalized, defaults={"kind": body.kind})
    return {"kind": body.kind}


@router.get(
    "/workspaces/{workspace_id}/actions",
    response=list[ActionOut],
    summary="List the actions",
    operation_id="list_workspace_actions",
)
def list_all_actions(
    request: HttpRequest, workspace_id: uuid.UUID, state: ActionStateText | None = None
) -> list[dict[str, Any]]:
    """Return the actions in a state, by default open and taken ones, those seen last first, at most 100."""
    workspace = get_workspace(request, workspace_id)
    actions = list_actions(workspace, [state] if state else UNDECIDED_STATES)
    return serialize_actions(actions, find_latest_runs(workspace))


@router.patch(
    "/workspaces/{workspace_id}/actions/{action_id}",
    response=ActionOut,
    summary="Change an action",
    operation_id="change_workspace_action",
)
@router.post(
    "/workspaces/{workspace_id}/actions/{action_id}",
    response=ActionOut,
    summary="Change an action, for clients that cannot send PATCH, such as WeChat's",
    operation_id="post_workspace_action",
)
def edit_action(
    request: HttpRequest, workspace_id: uuid.UUID, action_id: uuid.UUID, body: ActionChangeIn
) -> dict[str, Any]:
    """Change state, assignee or note."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.EDITOR)
    check_typed_texts(get_request_user(request), {"note": body.note or ""})
    action = find_action(workspace, action_id)
    change = ActionChange(body.state, body.assignee, body.note, is_unassigned=body.unassign)
    change_action(action, change)
    return serialize_actions([find_action(workspace, action_id)], find_latest_runs(workspace))[0]


@router.get(
    "/workspaces/{workspace_id}/actions/{action_id}/answers",
    response=list[EvidenceOut],
    summary="List the answers behind an action",
    operation_id="list_workspace_action_answers",
)
def list_action_answers(request: HttpRequest, workspace_id: uuid.UUID, action_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the answers that an action counts, at most fifty, without those that were deleted meanwhile."""
    return list_evidence(find_action(get_workspace(request, workspace_id), action_id))
