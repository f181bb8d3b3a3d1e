"""Keep the paid steps of pending answers, so that a run after a crash continues with the next step."""

import json
import uuid
import zlib
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from diagnosis.choices import AnswerState
from diagnosis.models import Answer, PartialReply
from diagnosis.platforms.client import CallProgress
from diagnosis.platforms.protocols.base import StepResponse

MAX_PARTIAL_REPLY_BYTES = 4 * 1024 * 1024  # before compression; holds any single response


def save_partial_replies(run_number: int, progress_by_answer: Sequence[tuple[uuid.UUID, CallProgress]]) -> list[None]:
    """Store the steps of answers in place of earlier ones, if they are pending and the run is the current one.

    Returns an item for each, for `Batch`.
    """
    contents = {answer_id: build_partial_reply(progress) for answer_id, progress in progress_by_answer}
    with transaction.atomic():
        wanted = Answer.objects.filter(
            pk__in=contents, state=AnswerState.PENDING, diagnosis__run_number=run_number
        ).order_by("pk")
        locked = wanted.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)
        PartialReply.objects.bulk_create(
            [PartialReply(answer_id=pk, content=contents[pk]) for pk in locked],
            update_conflicts=True,
            unique_fields=["answer"],
            update_fields=["content", "created_at"],
        )
    return [None] * len(progress_by_answer)


def load_partial_replies(answers: QuerySet[Answer]) -> dict[uuid.UUID, bytes]:
    """Return the stored steps by answer, for `read_partial_reply`."""
    rows = PartialReply.objects.filter(answer__in=answers).values_list("answer", "content")
    return {answer_id: bytes(content) for answer_id, content in rows}


def read_partial_reply(content: bytes) -> CallProgress:
    """Return the steps from which a call continues."""
    stored = json.loads(zlib.decompress(content))
    responses = tuple(StepResponse(status, body) for status, body in stored["responses"])
    return CallProgress(stored["parameters"], stored["seed"], responses)


def build_partial_reply(progress: CallProgress) -> bytes:
    """Return the steps as far as they fit. Headers are left out: protocols read those of refusals only."""
    responses: list[Any] = []
    size = 0
    for response in progress.responses:
        size += len(json.dumps(response.body))
        if size > MAX_PARTIAL_REPLY_BYTES:
            break
        responses.append([response.status, response.body])
    stored = {"parameters": progress.parameters, "seed": progress.seed, "responses": responses}
    return zlib.compress(json.dumps(stored).encode())
