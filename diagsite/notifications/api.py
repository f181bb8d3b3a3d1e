"""The HTTP API of notifications (/api/notices), which the history page shows until they are read."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status

from diagnosis.api.access import get_request_user
from diagsite.notifications.outbox import get_unread_notifications

router = Router(tags=["notices"])

MAX_LISTED_NOTIFICATIONS = 50


class MoveOut(Schema):
    """A brand whose mention rate (0 to 1) changed on the common part of two diagnoses.

    low, high: the interval of the difference.
    """

    name: str
    is_own: bool
    before: float
    after: float
    low: float
    high: float
    changed: Literal["up", "down"]


class NoticeOut(Schema):
    """A notification. at: the time of the event.

    moves: the changes, for kind "moved". reason: the schedule's skip_reason, for kind "skipped".
    """

    id: uuid.UUID
    kind: Literal["moved", "skipped"]
    brand: str
    demo: bool
    diagnosis: uuid.UUID | None
    schedule: uuid.UUID | None
    at: datetime
    moves: list[MoveOut]
    reason: str


class NoticeList(Schema):
    """The newest fifty unread notifications."""

    items: list[NoticeOut]


class ReadIn(Schema):
    """The ids of the notifications to mark as read."""

    ids: list[uuid.UUID] = Field(min_length=1, max_length=MAX_LISTED_NOTIFICATIONS)


@router.get(
    "/notices",
    response=NoticeList,
    summary="List the unread notifications",
    operation_id="diagsite_notices_api_list_notices",
)
def list_notices(request: HttpRequest) -> dict[str, Any]:
    """Return the caller's unread notifications, newest first, without those that WeChat delivered."""
    rows = (
        get_unread_notifications(get_request_user(request))
        .select_related("diagnosis", "schedule")
        .defer("diagnosis__report")[:MAX_LISTED_NOTIFICATIONS]
    )
    items = []
    for row in rows:
        subject = row.diagnosis or row.schedule
        assert subject
        items.append(
            {
                "id": row.public_id,
                "kind": row.kind,
                "brand": subject.brand,
                "demo": subject.is_demo,
                "diagnosis": row.diagnosis_id,
                "schedule": row.diagnosis.schedule_id if row.diagnosis else row.schedule_id,
                "at": row.slot_at or row.due_at,
                "moves": row.data.get("moves", []),
                "reason": row.data.get("reason", ""),
            }
        )
    return {"items": items}


@router.post(
    "/notices/read",
    response={204: None},
    summary="Mark notifications as read",
    operation_id="diagsite_notices_api_read_notices",
)
def read_notices(request: HttpRequest, body: ReadIn) -> Status[None]:
    """Mark notifications of the caller as read; ids of other users' notifications are ignored."""
    get_unread_notifications(get_request_user(request)).filter(public_id__in=body.ids).update(read_at=timezone.now())
    return Status(204, None)
