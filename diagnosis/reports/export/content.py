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

from diagnosis.models import Answer
from diagnosis.reports.cache import get_visible_report
from diagnosis.reports.service import ANSWER_ORDERING

ANSWER_CHUNK_SIZE = 100  # answers in memory


@dataclass(frozen=True)
class ExportContent:
    """report: as the API gives it. exported_at: UTC, to the second."""

    report: dict[str, Any]
    exported_at: datetime

    @property
    def diagnosis_id(self) -> uuid.UUID:
        """Of the diagnosis."""
        return uuid.UUID(self.report["diagnosis"]["id"])

    def iter_answers(self) -> Iterator[Answer]:
        """In the order of questions, platforms and repeats; read as they are wanted."""
        return get_ordered_answers(self.diagnosis_id).iterator(chunk_size=ANSWER_CHUNK_SIZE)


def load_export_content(user: AbstractBaseUser, diagnosis_id: str) -> ExportContent:
    """For who may see the diagnosis. Raises NotFound, or DiagnosisRunning before its end."""
    report = get_visible_report(user, diagnosis_id)
    return ExportContent(orjson.loads(report["body"]), timezone.now().astimezone(UTC).replace(microsecond=0))


def get_ordered_answers(diagnosis_id: uuid.UUID) -> QuerySet[Answer]:
    """The answers of a diagnosis in the order of its questions, platforms and repeats."""
    return Answer.objects.filter(diagnosis=diagnosis_id).order_by(*ANSWER_ORDERING)
