"""Feedback, complaints and reports of answers by users."""

import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Diagnosis
from diagsite.models import Feedback, User
from errors.exceptions import Conflict, InvalidInput

MAX_OPEN_PER_OWNER = 20


@dataclass(frozen=True)
class FeedbackRequest:
    """What a user sends. answer: the id of the answer that is reported, only with the kind `answer`."""

    kind: Feedback.Kind
    text: str
    reason: str = ""
    contact: str = ""
    answer: uuid.UUID | None = None


def create_feedback(user: User, request: FeedbackRequest) -> Feedback:
    """Store it for the operators; a repeated request returns the entry that is open.

    Raises InvalidInput for an answer that does not exist or is not visible to the user, Conflict with the maximum of
    entries that are not handled yet.
    """
    answer = _find_answer(user, request)
    with transaction.atomic():
        # The lock keeps concurrent requests from exceeding the limit.
        User.objects.select_for_update().get(pk=user.pk)
        open_entries = Feedback.objects.filter(owner=user, handled_at=None)
        repeated = open_entries.filter(kind=request.kind, text=request.text, answer=answer).first()
        if repeated:
            return repeated
        if open_entries.count() >= MAX_OPEN_PER_OWNER:
            message = _("还有 %(most)s 条没有处理完，请等处理后再提交。") % {"most": MAX_OPEN_PER_OWNER}
            raise Conflict(fields={"text": message})
        return Feedback.objects.create(
            owner=user,
            kind=request.kind,
            reason=request.reason,
            text=request.text,
            contact=request.contact,
            answer=answer,
        )


def _find_answer(user: User, request: FeedbackRequest) -> Answer | None:
    if request.kind != Feedback.Kind.ANSWER:
        return None
    visible = Answer.objects.filter(state=AnswerState.VALID, diagnosis__in=Diagnosis.objects.visible_to(user))
    answer = visible.filter(pk=request.answer).first() if request.answer else None
    if answer is None:
        raise InvalidInput(fields={"answer": _("没有这条回答。")})
    return answer
