"""The HTTP API of notices: what is shown as unread on the page of the history."""

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from diagnosis.access import user_of
from diagsite.models import Notice
from diagsite.notices import unread_notices

router = Router(tags=["notices"])

MOST = 50


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

    ids: list[StrictInt] = Field(min_length=1, max_length=MOST)


@router.get("/notices", response=NoticeList, summary="Unread notices")
def list_notices(request: HttpRequest) -> dict[str, Any]:
    """The caller's, the newest first; without what WeChat has delivered."""
    rows = unread_notices(user_of(request)).select_related("diagnosis", "schedule").defer("diagnosis__report")[:MOST]
    return {"items": [_notice_json(row) for row in rows]}


@router.post("/notices/read", response={204: None}, summary="Mark as read")
def read_notices(request: HttpRequest, body: ReadIn) -> Status[None]:
    """Of the caller's own; others' are left as they are."""
    unread_notices(user_of(request)).filter(pk__in=body.ids).update(read_at=timezone.now())
    return Status(204, None)


def _notice_json(notice: Notice) -> dict[str, Any]:
    about = notice.diagnosis or notice.schedule
    assert about
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "brand": about.brand,
        "demo": about.is_demo,
        "diagnosis": notice.diagnosis_id,
        "schedule": notice.diagnosis.schedule_id if notice.diagnosis else notice.schedule_id,
        "at": notice.slot_at or notice.due_at,
        "moves": notice.data.get("moves", []),
        "reason": notice.data.get("reason", ""),
    }
