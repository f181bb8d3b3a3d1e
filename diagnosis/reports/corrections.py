"""Corrections by the user: confirmed or rejected mentions, aliases, competitors.

Each correction updates rows, mentions and report in one transaction.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import MENTION_CONFIRMED, build_brand_spellings, reanalyse_answers
from diagnosis.analysis.mentions import normalize_spelling
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Answer, Brand, Correction, Diagnosis
from diagnosis.reports.cache import get_report_cache_tag
from diagnosis.reports.service import build_report_from_database
from errors.exceptions import InvalidInput, NotFound
from performance.cache import invalidate_tags

MAX_ALIASES = 20
MAX_COMPETITORS = 10  # as in a new diagnosis


@dataclass(frozen=True)
class MentionSpan:
    """A mention of a brand in an answer: offsets in code points of its text."""

    answer: uuid.UUID
    brand: str
    start: int
    end: int


def confirm_or_reject_mention(
    diagnosis: Diagnosis, span: MentionSpan, user: AbstractBaseUser, *, is_confirmed: bool
) -> Correction:
    """Confirm or reject a mention; the latest decision on a span replaces earlier ones.

    Raises DiagnosisRunning before the end, and InvalidInput if the answer has no such mention and has had none.
    """
    with transaction.atomic():
        diagnosis = _lock_final_diagnosis(diagnosis)
        answer = diagnosis.answers.filter(pk=span.answer).first()
        span_fields: dict[str, Any] = {"answer": answer, "brand": span.brand, "start": span.start, "end": span.end}
        is_known = answer is not None and (
            any(mention[:3] == [span.brand, span.start, span.end] for mention in answer.mentions)
            or diagnosis.corrections.filter(**span_fields).exists()
        )
        if not is_known:
            raise InvalidInput(fields={"start": _("这个回答的这个位置没有找到该品牌。")})
        kind = Correction.Kind.CONFIRM if is_confirmed else Correction.Kind.REJECT
        correction, _is_new = diagnosis.corrections.update_or_create(
            **span_fields, defaults={"kind": kind, "user_id": user.pk}
        )
        _reanalyse_and_store_report(diagnosis)
    return correction


def add_alias(diagnosis: Diagnosis, brand: str, alias: str, user: AbstractBaseUser) -> Correction:
    """Add a spelling of a brand and count it in all answers. Raises InvalidInput if a brand already has it."""
    with transaction.atomic():
        diagnosis = _lock_final_diagnosis(diagnosis)
        brands = {row.name: row for row in diagnosis.brands.all()}
        if brand not in brands:
            raise InvalidInput(fields={"brand": _("本次诊断里没有这个品牌。")})
        _check_spelling_is_free(alias, brands.values(), field="alias")
        brand_row = brands[brand]
        if len(brand_row.aliases) >= MAX_ALIASES:
            raise InvalidInput(fields={"alias": _("别名太多了，请先删除一些。")})
        brand_row.aliases = [*brand_row.aliases, alias]
        brand_row.save(update_fields=["aliases"])
        correction = diagnosis.corrections.create(kind=Correction.Kind.ALIAS, brand=brand, alias=alias, user_id=user.pk)
        _reanalyse_and_store_report(diagnosis)
    return correction


def _check_spelling_is_free(spelling: str, brands: Iterable[Brand], *, field: str) -> None:
    taken = {normalize_spelling(known) for brand in brands for known in (brand.name, *brand.aliases)}
    if normalize_spelling(spelling) in taken:
        raise InvalidInput(fields={field: _("这个写法已经有了。")})


def add_competitor(diagnosis: Diagnosis, name: str) -> Brand:
    """Add a competitor and count it in the stored answers, without new calls and without rating its sentiment.

    Raises InvalidInput if a brand already has this spelling, or at the maximum number of competitors.
    """
    with transaction.atomic():
        diagnosis = _lock_final_diagnosis(diagnosis)
        brands = list(diagnosis.brands.all())
        _check_spelling_is_free(name, brands, field="name")
        if sum(not brand.is_own for brand in brands) >= MAX_COMPETITORS:
            raise InvalidInput(fields={"name": _("竞品最多 %(most)s 个。") % {"most": MAX_COMPETITORS}})
        last = max((brand.position for brand in brands), default=0)
        added = diagnosis.brands.create(name=name, position=max(last + 1, Brand.FIRST_ADDED_POSITION))
        _reanalyse_and_store_report(diagnosis)
    return added


def remove_competitor(diagnosis: Diagnosis, name: str) -> None:
    """Remove a competitor that the user added, with its corrections. Raises NotFound if there is none."""
    with transaction.atomic():
        diagnosis = _lock_final_diagnosis(diagnosis)
        brand = next((row for row in diagnosis.brands.filter(name=name) if row.is_added), None)
        if brand is None:
            raise NotFound
        diagnosis.corrections.filter(brand=name).delete()
        brand.delete()
        _reanalyse_and_store_report(diagnosis)


def undo_correction(diagnosis: Diagnosis, correction_id: int) -> None:
    """Undo a correction. Raises NotFound if the diagnosis has none with this id."""
    with transaction.atomic():
        diagnosis = _lock_final_diagnosis(diagnosis)
        correction = diagnosis.corrections.filter(pk=correction_id).first()
        if correction is None:
            raise NotFound
        if correction.kind == Correction.Kind.ALIAS:
            for brand in diagnosis.brands.filter(name=correction.brand):
                brand.aliases = [alias for alias in brand.aliases if alias != correction.alias]
                brand.save(update_fields=["aliases"])
        correction.delete()
        _reanalyse_and_store_report(diagnosis)


def _lock_final_diagnosis(diagnosis: Diagnosis) -> Diagnosis:
    locked = Diagnosis.objects.select_for_update().get(pk=diagnosis.pk)
    if not locked.is_final:
        raise DiagnosisRunning
    return locked


def _reanalyse_and_store_report(diagnosis: Diagnosis) -> None:
    """Analyse all answers again, apply the corrections, and store the new report."""
    brands = build_brand_spellings(diagnosis.brands.all())
    answers = reanalyse_answers(diagnosis.answers.select_related("question"), brands)
    decisions_by_answer: dict[uuid.UUID | None, dict[tuple[Any, ...], str]] = {}
    for correction in diagnosis.corrections.exclude(answer=None):
        span = correction.brand, correction.start, correction.end
        decisions_by_answer.setdefault(correction.answer_id, {})[span] = correction.kind
    for answer in answers:
        answer.mentions = apply_corrections(answer.mentions, decisions_by_answer.get(answer.pk, {}))
    Answer.objects.bulk_update(answers, ["mentions", "others", "domains"], batch_size=200)
    diagnosis.report = build_report_from_database(diagnosis)
    diagnosis.save(update_fields=["report"])
    invalidate_tags(get_report_cache_tag(diagnosis.pk))


def apply_corrections(mentions: list[list[Any]], decisions: dict[tuple[Any, ...], str]) -> list[list[Any]]:
    """Return the mentions without the rejected ones and with all confirmed ones, even if no longer found."""
    kept = [mention for mention in mentions if tuple(mention[:3]) not in decisions]
    confirmed = [[*span, MENTION_CONFIRMED] for span, kind in decisions.items() if kind == Correction.Kind.CONFIRM]
    return sorted([*kept, *confirmed], key=lambda mention: (mention[1], mention[2]))
