"""HTTP API of share links, of reports and of overviews."""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja import Status as Response

from diagnosis.api.access import get_request_user, get_visible_diagnosis, get_workspace
from diagnosis.choices import WorkspaceRole
from diagnosis.models import OverviewLink, ShareLink
from diagnosis.sharing.links import (
    MAX_LINK_DAYS,
    create_link,
    create_overview_link,
    get_link_path,
    get_overview_path,
    revoke_link,
    revoke_overview_link,
)

router = Router(tags=["shares"])


class ShareIn(Schema):
    """The number of days for which the link is valid."""

    days: int = Field(ge=1, le=MAX_LINK_DAYS)


class ShareOut(Schema):
    """An active link. opens: how often it was opened."""

    id: uuid.UUID
    url: str
    created_at: datetime
    expires_at: datetime
    opens: int


@router.get(
    "/diagnoses/{diagnosis_id}/shares",
    response=list[ShareOut],
    summary="List the active share links",
    operation_id="diagnosis_sharing_api_list_shares",
)
def list_shares(request: HttpRequest, diagnosis_id: str) -> list[dict[str, Any]]:
    """Return the share links, newest first, without expired and revoked ones."""
    return [
        _serialize_share_link(request, link)
        for link in get_visible_diagnosis(request, diagnosis_id, WorkspaceRole.OWNER).share_links.active()
    ]


@router.post(
    "/diagnoses/{diagnosis_id}/shares",
    response={201: ShareOut},
    summary="Create a share link",
    operation_id="diagnosis_sharing_api_share",
)
def share(request: HttpRequest, diagnosis_id: str, body: ShareIn) -> Response[dict[str, Any]]:
    """Create a link to the report that needs no sign-in and does not reveal the owner. 409 while the diagnosis runs."""
    link = create_link(
        get_visible_diagnosis(request, diagnosis_id, WorkspaceRole.OWNER), body.days, get_request_user(request)
    )
    return Response(201, _serialize_share_link(request, link))


@router.delete(
    "/diagnoses/{diagnosis_id}/shares/{share_id}",
    response={204: None},
    summary="Revoke a share link",
    operation_id="diagnosis_sharing_api_revoke",
)
def revoke(request: HttpRequest, diagnosis_id: str, share_id: uuid.UUID) -> Response[None]:
    """Revoke a link, which stops working at once."""
    revoke_link(get_visible_diagnosis(request, diagnosis_id, WorkspaceRole.OWNER), share_id)
    return Response(204, None)


@router.get(
    "/workspaces/{workspace_id}/shares",
    response=list[ShareOut],
    summary="List the share links of the overview",
    operation_id="list_overview_shares",
)
def list_overview_shares(request: HttpRequest, workspace_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the active links to the overview, newest first."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.OWNER)
    links = OverviewLink.objects.active().filter(workspace=workspace)
    return [_serialize_share_link(request, link) for link in links]


@router.post(
    "/workspaces/{workspace_id}/shares",
    response={201: ShareOut},
    summary="Share the overview",
    operation_id="share_overview",
)
def share_overview(request: HttpRequest, workspace_id: uuid.UUID, body: ShareIn) -> Response[dict[str, Any]]:
    """Create a link to the overview that needs no sign-in. It ends early when its creator is no longer an owner."""
    workspace = get_workspace(request, workspace_id, WorkspaceRole.OWNER)
    link = create_overview_link(workspace, body.days, get_request_user(request))
    return Response(201, _serialize_share_link(request, link))


@router.delete(
    "/workspaces/{workspace_id}/shares/{share_id}",
    response={204: None},
    summary="Revoke a share link of the overview",
    operation_id="revoke_overview_share",
)
def revoke_overview(request: HttpRequest, workspace_id: uuid.UUID, share_id: uuid.UUID) -> Response[None]:
    """Revoke a link to the overview, which stops working at once."""
    revoke_overview_link(get_workspace(request, workspace_id, WorkspaceRole.OWNER), share_id)
    return Response(204, None)


def _serialize_share_link(request: HttpRequest, link: ShareLink | OverviewLink) -> dict[str, Any]:
    path = get_link_path(link) if isinstance(link, ShareLink) else get_overview_path(link)
    return {
        "id": link.pk,
        "url": request.build_absolute_uri(path),
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "opens": link.opens,
    }
