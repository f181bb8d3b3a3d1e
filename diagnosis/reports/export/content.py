"""The content of an export: the report as the API returns it, and the answers."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.models import Answer, Brand, SearchQuery, Source
from diagnosis.reports.cache import get_visible_report
from diagnosis.reports.service import ANSWER_ORDERING

ANSWER_CHUNK_SIZE = 100  # answers in memory
SOURCE_CHUNK_SIZE = 1000

_ORDERING_BY_ANSWER = [f"answer__{name}" for name in ANSWER_ORDERING] + ["position"]


@dataclass(frozen=True)
class ExportContent:
    """A report as the API returns it, and the time of the export in UTC, without fractions of a second."""

    report: dict[str, Any]
    exported_at: datetime

    @property
    def diagnosis_id(self) -> uuid.UUID:
        return uuid.UUID(self.report["diagnosis"]["id"])

    def iter_answers(self) -> Iterator[Answer]:
        """Iterate over the answers by question, platform and repeat, reading them in chunks."""
        return get_ordered_answers(self.diagnosis_id).iterator(chunk_size=ANSWER_CHUNK_SIZE)

    def iter_answers_with_sources(self) -> Iterator[Answer]:
        """Iterate as `iter_answers` does, with the sources and search queries of each answer prefetched."""
        answers = get_ordered_answers(self.diagnosis_id).prefetch_related("sources", "search_queries")
        return answers.iterator(chunk_size=ANSWER_CHUNK_SIZE)

    def iter_sources(self) -> Iterator[Source]:
        """Iterate over the sources in the order of the answers, as the platforms list them."""
        rows = Source.objects.filter(answer__diagnosis=self.diagnosis_id).order_by(*_ORDERING_BY_ANSWER)
        return rows.select_related("answer").defer("answer__text").iterator(chunk_size=SOURCE_CHUNK_SIZE)

    def iter_queries(self) -> Iterator[SearchQuery]:
        """Iterate over the search queries in the order of the answers."""
        rows = SearchQuery.objects.filter(answer__diagnosis=self.diagnosis_id).order_by(*_ORDERING_BY_ANSWER)
        return rows.select_related("answer").defer("answer__text").iterator(chunk_size=SOURCE_CHUNK_SIZE)

    def load_brands(self) -> list[Brand]:
        """Return the brands of the diagnosis."""
        return list(Brand.objects.filter(diagnosis=self.diagnosis_id))


def load_export_content(user: AbstractBaseUser, diagnosis_id: str) -> ExportContent:
    """Load the report for a user who may see it. Raises NotFound, or DiagnosisRunning before its end."""
    report = get_visible_report(user, diagnosis_id)
    return ExportContent(orjson.loads(report["body"]), timezone.now().astimezone(UTC).replace(microsecond=0))


def get_ordered_answers(diagnosis_id: uuid.UUID) -> QuerySet[Answer]:
    """Return the answers of a diagnosis by question, platform and repeat."""
    return Answer.objects.filter(diagnosis=diagnosis_id).order_by(*ANSWER_ORDERING)
