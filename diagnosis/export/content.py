"""What an export is made of: the report as the API gives it, and the answers, a few at a time."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.access import visible_report
from diagnosis.models import Answer
from diagnosis.reporting import ANSWERS_IN_ORDER

AT_ONCE = 100  # answers in memory


@dataclass(frozen=True)
class Content:
    """report: as the API gives it. exported_at: UTC, to the second."""

    report: dict[str, Any]
    exported_at: datetime

    @property
    def id(self) -> uuid.UUID:
        """Of the diagnosis."""
        return uuid.UUID(self.report["diagnosis"]["id"])

    def answers(self) -> Iterator[Answer]:
        """In the order of questions, platforms and repeats; read as they are wanted."""
        return answers_of(self.id).iterator(chunk_size=AT_ONCE)


def content_for(user: AbstractBaseUser, diagnosis_id: str) -> Content:
    """For who may see the diagnosis. Raises NotFound, or DiagnosisRunning before its end."""
    report = visible_report(user, diagnosis_id)
    return Content(orjson.loads(report["body"]), timezone.now().astimezone(UTC).replace(microsecond=0))


def answers_of(diagnosis_id: uuid.UUID) -> QuerySet[Answer]:
    """The answers of a diagnosis in the order of its questions, platforms and repeats."""
    return Answer.objects.filter(diagnosis=diagnosis_id).order_by(*ANSWERS_IN_ORDER)
