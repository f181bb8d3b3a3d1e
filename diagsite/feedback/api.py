"""The HTTP API of feedback, complaints and reports of answers."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import StringConstraints

from diagnosis.api.schemas import LongText
from diagsite.feedback.services import FeedbackRequest, create_feedback
from diagsite.models import Feedback, User

router = Router(tags=["feedback"])

MAX_LISTED = 50


class FeedbackIn(Schema):
    """Feedback, a complaint or appeal, or a report of an answer with its id and a reason."""

    kind: Literal["feedback", "complaint", "answer"]
    text: LongText
    reason: Literal["", "illegal", "false", "rights", "other"] = ""
    contact: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    answer: uuid.UUID | None = None


class FeedbackOut(Schema):
    """What the caller has sent, and the operators' reply once it is handled."""

    id: uuid.UUID
    kind: str
    reason: str
    text: str
    answer: uuid.UUID | None
    created_at: datetime
    handled_at: datetime | None
    reply: str


class FeedbackList(Schema):
    """The latest entries of the caller. reply_days: working days until one is handled; contact: of the operator."""

    items: list[FeedbackOut]
    reply_days: int
    contact: str


@router.post(
    "/feedback",
    response={201: FeedbackOut},
    summary="Send feedback, a complaint, or a report of an answer",
    operation_id="diagsite_api_send_feedback",
)
def send_feedback(request: HttpRequest, body: FeedbackIn) -> Status[dict[str, Any]]:
    """Store it for the operators. 409 while too many of the caller are not handled yet."""
    feedback = create_feedback(_get_user(request), FeedbackRequest(**body.dict() | {"kind": Feedback.Kind(body.kind)}))
    return Status(201, _serialize(feedback))


@router.get(
    "/feedback", response=FeedbackList, summary="List the caller's feedback", operation_id="diagsite_api_list_feedback"
)
def list_feedback(request: HttpRequest) -> dict[str, Any]:
    """Return the latest entries with their replies."""
    entries = Feedback.objects.filter(owner=_get_user(request)).order_by("-created_at")[:MAX_LISTED]
    return {
        "items": [_serialize(entry) for entry in entries],
        "reply_days": settings.OPERATOR_REPLY_DAYS,
        "contact": settings.OPERATOR_CONTACT,
    }


def _serialize(feedback: Feedback) -> dict[str, Any]:
    fields = ("kind", "reason", "text", "created_at", "handled_at", "reply")
    return {name: getattr(feedback, name) for name in fields} | {
        "id": feedback.public_id,
        "answer": feedback.answer_id,
    }


def _get_user(request: HttpRequest) -> User:
    user: User = request.auth  # type: ignore[attr-defined]
    return user
