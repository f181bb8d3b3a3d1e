"""HTTP API of share links."""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja import Status as Response

from diagnosis.api.access import get_request_user, get_visible_diagnosis
from diagnosis.choices import WorkspaceRole
from diagnosis.models import ShareLink
from diagnosis.sharing.links import MAX_LINK_DAYS, create_link, get_link_path, revoke_link

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


def _serialize_share_link(request: HttpRequest, link: ShareLink) -> dict[str, Any]:
    return {
        "id": link.pk,
        "url": request.build_absolute_uri(get_link_path(link)),
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "opens": link.opens,
    }
