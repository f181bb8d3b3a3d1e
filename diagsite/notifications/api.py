"""The HTTP API of notifications (/api/notices), which the history page shows until they are read."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from diagnosis.api.access import get_request_user
from diagsite.models import Notification
from diagsite.notifications.outbox import get_unread_notifications

router = Router(tags=["notices"])

MAX_LISTED_NOTIFICATIONS = 50


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

    ids: list[StrictInt] = Field(min_length=1, max_length=MAX_LISTED_NOTIFICATIONS)


@router.get("/notices", response=NoticeList, summary="Unread notices", operation_id="diagsite_notices_api_list_notices")
def list_notices(request: HttpRequest) -> dict[str, Any]:
    """The caller's, the newest first; without what WeChat has delivered."""
    rows = (
        get_unread_notifications(get_request_user(request))
        .select_related("diagnosis", "schedule")
        .defer("diagnosis__report")[:MAX_LISTED_NOTIFICATIONS]
    )
    return {"items": [_serialize_notification(row) for row in rows]}


@router.post(
    "/notices/read", response={204: None}, summary="Mark as read", operation_id="diagsite_notices_api_read_notices"
)
def read_notices(request: HttpRequest, body: ReadIn) -> Status[None]:
    """Of the caller's own; others' are left as they are."""
    get_unread_notifications(get_request_user(request)).filter(pk__in=body.ids).update(read_at=timezone.now())
    return Status(204, None)


def _serialize_notification(notification: Notification) -> dict[str, Any]:
    subject = notification.diagnosis or notification.schedule
    assert subject
    return {
        "id": notification.pk,
        "kind": notification.kind,
        "brand": subject.brand,
        "demo": subject.is_demo,
        "diagnosis": notification.diagnosis_id,
        "schedule": notification.diagnosis.schedule_id if notification.diagnosis else notification.schedule_id,
        "at": notification.slot_at or notification.due_at,
        "moves": notification.data.get("moves", []),
        "reason": notification.data.get("reason", ""),
    }
