"""Recalculation of a finished diagnosis after a correction: the mentions of the answers concerned, then the report.

`Diagnosis.revision` counts the corrections, `report_revision` is the last one that the stored report includes. Up to
`MAX_INLINE_ANSWERS` answers with `MAX_INLINE_CHARACTERS` are recalculated at once, more by a job, which locks rows only
while it writes them; the jobs of an owner run one after another.
"""

import uuid
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Length

from diagnosis.analysis.columns import MENTION_CONFIRMED, build_brand_spellings, reanalyse_answers
from diagnosis.analysis.mentions import BrandSpellings, compact_text, normalize_spelling
from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Correction, Diagnosis
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.reports.service import build_report_from_database
from diagnosis.running import queue
from diagnosis.workspaces.rollups import refresh_summary
from performance.cache import invalidate_tags

log = structlog.get_logger(__name__)

MAX_INLINE_ANSWERS = 200
MAX_INLINE_CHARACTERS = 200_000
BATCH_SIZE = 50  # answers written in one transaction
MAX_PER_SWEEP = 100

ANALYSIS_COLUMNS = ("mentions", "others", "discovered", "domains", "matcher_version")


def recalculate(diagnosis: Diagnosis, *, spelling: str = "") -> None:
    """Update the report after a correction, in the transaction of the correction.

    spelling: a name that now counts or no longer counts; the answers that contain it are analysed again. Without one,
    the caller has updated the answers.
    """
    Diagnosis.objects.filter(pk=diagnosis.pk).update(revision=F("revision") + 1)
    diagnosis.refresh_from_db(fields=["revision"])
    if _is_short(diagnosis):
        run_recalculation(diagnosis.pk, diagnosis.revision, spelling)
    else:
        queue.enqueue_recalculation(diagnosis.pk, diagnosis.owner_id, diagnosis.revision, spelling)


def _is_short(diagnosis: Diagnosis) -> bool:
    if diagnosis.planned > MAX_INLINE_ANSWERS:
        return False
    characters = diagnosis.answers.aggregate(sum=Sum(Length("text")))["sum"] or 0
    return int(characters) <= MAX_INLINE_CHARACTERS


def run_recalculation(diagnosis_id: uuid.UUID, revision: int, spelling: str = "", *, all_answers: bool = False) -> None:
    """Analyse the answers concerned and store the report. Running it again changes nothing.

    all_answers: analyse every answer, for a job whose correction is no longer known.
    """
    diagnosis = Diagnosis.objects.defer("report").filter(pk=diagnosis_id, report_revision__lt=revision).first()
    if diagnosis is None:
        return
    if spelling or all_answers:
        analyse_again(diagnosis, [spelling])
    report = build_report_from_database(diagnosis)
    with transaction.atomic():
        is_newest = Diagnosis.objects.filter(pk=diagnosis_id, report_revision__lt=revision).update(
            report=report, report_revision=revision
        )
        if is_newest:
            diagnosis.report = report
            refresh_summary(diagnosis)
    transaction.on_commit(partial(invalidate_tags, get_report_cache_tag(diagnosis_id)))


def analyse_again(diagnosis: Diagnosis, spellings: Iterable[str]) -> None:
    """Analyse the valid answers that contain one of the spellings, and those with decisions of the user.

    All of them contain the empty spelling.
    """
    brands = build_brand_spellings(diagnosis.brands.all())
    valid = diagnosis.answers.filter(state=AnswerState.VALID).select_related("question").order_by("pk")
    wanted = {compact_text(spelling) for spelling in spellings}
    corrected = set(Correction.objects.filter(answer__diagnosis=diagnosis).values_list("answer", flat=True))
    ids = list(valid.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH_SIZE):
        concerned = []
        for answer in valid.filter(pk__in=ids[start : start + BATCH_SIZE]):
            text = compact_text(answer.text)
            if answer.pk in corrected or any(spelling in text for spelling in wanted):
                concerned.append(answer)
        if concerned:
            analyse_and_store(valid, concerned, brands)


def analyse_and_store(rows: QuerySet[Answer], answers: Collection[Answer], brands: list[BrandSpellings]) -> None:
    """Analyse answers again, apply the user's decisions, and store the result."""
    reanalyse_answers(answers, brands)  # takes time, so it is done before the lock
    ids = [answer.pk for answer in answers]
    with transaction.atomic():
        # A decision that is being made on one of these answers waits, or is read here.
        list(rows.select_related(None).filter(pk__in=ids).select_for_update().values_list("pk"))
        decisions = _load_decisions(ids, brands)
        for answer in answers:
            answer.mentions = apply_corrections(answer.mentions, decisions.get(answer.pk, {}))
        Answer.objects.bulk_update(answers, ANALYSIS_COLUMNS)


def _load_decisions(
    answer_ids: Iterable[uuid.UUID], brands: Iterable[BrandSpellings]
) -> dict[uuid.UUID | None, dict[tuple[Any, ...], str]]:
    """Return the confirmed and rejected mentions by answer, {(brand, start, end): kind}.

    A brand that has become a spelling of another counts for that one; decisions on other brands are left out.
    """
    names = {normalize_spelling(text): brand.name for brand in brands for text in reversed(brand.spellings)}
    decisions: dict[uuid.UUID | None, dict[tuple[Any, ...], str]] = {}
    for correction in Correction.objects.filter(answer__in=answer_ids).order_by("pk"):
        brand = names.get(normalize_spelling(correction.brand))
        if brand:
            span = brand, correction.start, correction.end
            decisions.setdefault(correction.answer_id, {})[span] = correction.kind
    return decisions


def apply_corrections(mentions: list[list[Any]], decisions: dict[tuple[Any, ...], str]) -> list[list[Any]]:
    """Return the mentions without the rejected ones and with all confirmed ones, even if no longer found."""
    kept = [mention for mention in mentions if tuple(mention[:3]) not in decisions]
    confirmed = [[*span, MENTION_CONFIRMED] for span, kind in decisions.items() if kind == Correction.Kind.CONFIRM]
    return sorted([*kept, *confirmed], key=lambda mention: (mention[1], mention[2]))


def requeue_recalculations() -> int:
    """Enqueue the recalculation of diagnoses whose job was lost; returns how many."""
    pending = Diagnosis.objects.filter(revision__gt=F("report_revision")).values_list("pk", "owner_id", "revision")
    requeued = 0
    for pk, owner_id, revision in pending[:MAX_PER_SWEEP]:
        if not queue.has_live_recalculation(pk):
            queue.enqueue_recalculation(pk, owner_id, revision, "", all_answers=True)
            log.warning("recalculation_requeued", diagnosis=str(pk))
            requeued += 1
    return requeued
