"""The HTTP API of notices: what is shown as unread on the page of the history."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from diagnosis.api.access import get_request_user
from diagsite.models import Notice
from diagsite.notifications.outbox import get_unread_notices

router = Router(tags=["notices"])

MAX_LISTED_NOTICES = 50


class MoveOut(Schema):
    """A brand whose rate moved: 0-1 before and after, on what both diagnoses asked."""

    name: str
    is_own: bool
    before: float
    after: float
    low: float
    high: float
    changed: Literal["up", "down"]


class NoticeOut(Schema):
    """moves: of "moved". reason: of "skipped", as a schedule's skip_reason; at: when it happened."""

    id: int
    kind: Literal["moved", "skipped"]
    brand: str
    demo: bool
    diagnosis: uuid.UUID | None
    schedule: uuid.UUID | None
    at: datetime
    moves: list[MoveOut]
    reason: str


class NoticeList(Schema):
    """The newest fifty that are unread."""

    items: list[NoticeOut]


class ReadIn(Schema):
    """Which were read."""

    ids: list[StrictInt] = Field(min_length=1, max_length=MAX_LISTED_NOTICES)


@router.get("/notices", response=NoticeList, summary="Unread notices")
def list_notices(request: HttpRequest) -> dict[str, Any]:
    """The caller's, the newest first; without what WeChat has delivered."""
    rows = (
        get_unread_notices(get_request_user(request))
        .select_related("diagnosis", "schedule")
        .defer("diagnosis__report")[:MAX_LISTED_NOTICES]
    )
    return {"items": [_serialize_notice(row) for row in rows]}


@router.post("/notices/read", response={204: None}, summary="Mark as read")
def read_notices(request: HttpRequest, body: ReadIn) -> Status[None]:
    """Of the caller's own; others' are left as they are."""
    get_unread_notices(get_request_user(request)).filter(pk__in=body.ids).update(read_at=timezone.now())
    return Status(204, None)


def _serialize_notice(notice: Notice) -> dict[str, Any]:
    subject = notice.diagnosis or notice.schedule
    assert subject
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "brand": subject.brand,
        "demo": subject.is_demo,
        "diagnosis": notice.diagnosis_id,
        "schedule": notice.diagnosis.schedule_id if notice.diagnosis else notice.schedule_id,
        "at": notice.slot_at or notice.due_at,
        "moves": notice.data.get("moves", []),
        "reason": notice.data.get("reason", ""),
    }
