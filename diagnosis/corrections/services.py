"""Corrections by the user: confirmed or rejected mentions, aliases, competitors.

Each correction is stored in one transaction and touches only the answers that it concerns; recalculation.py updates the
report.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import build_brand_spellings
from diagnosis.analysis.mentions import normalize_spelling
from diagnosis.choices import AnswerState
from diagnosis.corrections.recalculation import analyse_and_store, recalculate
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import Answer, Brand, Correction, Diagnosis
from diagnosis.row_locks import brief_transaction
from errors.exceptions import InvalidInput, NotFound

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
    _check_is_final(diagnosis)
    with brief_transaction():
        answer = _lock_answer(diagnosis, span.answer)
        span_fields: dict[str, Any] = {"answer": answer, "brand": span.brand, "start": span.start, "end": span.end}
        is_known = answer is not None and (
            any(mention[:3] == [span.brand, span.start, span.end] for mention in answer.mentions)
            or diagnosis.corrections.filter(**span_fields).exists()
        )
        if answer is None or not is_known:
            raise InvalidInput(fields={"start": _("这个回答的这个位置没有找到该品牌。")})
        kind = Correction.Kind.CONFIRM if is_confirmed else Correction.Kind.REJECT
        correction, _is_new = diagnosis.corrections.update_or_create(
            **span_fields, defaults={"kind": kind, "user_id": user.pk}
        )
        _analyse_answer(diagnosis, answer)
        recalculate(diagnosis)
    return correction


def _lock_answer(diagnosis: Diagnosis, answer_id: uuid.UUID) -> Answer | None:
    answers = diagnosis.answers.select_related("question").select_for_update(of=("self",))
    return answers.filter(pk=answer_id, state=AnswerState.VALID).first()


def _analyse_answer(diagnosis: Diagnosis, answer: Answer) -> None:
    analyse_and_store(diagnosis.answers.all(), [answer], build_brand_spellings(diagnosis.brands.all()))


def add_alias(diagnosis: Diagnosis, brand: str, alias: str, user: AbstractBaseUser) -> Correction:
    """Add a spelling of a brand and count it in all answers. Raises InvalidInput if a brand already has it."""
    with brief_transaction():
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
        recalculate(diagnosis, spelling=alias)
    return correction


def _check_spelling_is_free(spelling: str, brands: Iterable[Brand], *, field: str) -> None:
    taken = {normalize_spelling(known) for brand in brands for known in (brand.name, *brand.aliases)}
    if normalize_spelling(spelling) in taken:
        raise InvalidInput(fields={field: _("这个写法已经有了。")})


def add_competitor(diagnosis: Diagnosis, name: str) -> Brand:
    """Add a competitor and count it in the stored answers, without new calls and without rating its sentiment.

    Raises InvalidInput if a brand already has this spelling, or at the maximum number of competitors.
    """
    with brief_transaction():
        diagnosis = _lock_final_diagnosis(diagnosis)
        brands = list(diagnosis.brands.all())
        _check_spelling_is_free(name, brands, field="name")
        if sum(not brand.is_own for brand in brands) >= MAX_COMPETITORS:
            raise InvalidInput(fields={"name": _("竞品最多 %(most)s 个。") % {"most": MAX_COMPETITORS}})
        last = max((brand.position for brand in brands), default=0)
        added = diagnosis.brands.create(name=name, position=max(last + 1, Brand.FIRST_ADDED_POSITION))
        recalculate(diagnosis, spelling=name)
    return added


def remove_competitor(diagnosis: Diagnosis, name: str) -> None:
    """Remove a competitor that the user added, with its corrections. Raises NotFound if there is none."""
    with brief_transaction():
        diagnosis = _lock_final_diagnosis(diagnosis)
        brand = next((row for row in diagnosis.brands.filter(name=name) if row.is_added), None)
        if brand is None:
            raise NotFound
        diagnosis.corrections.filter(brand=name).delete()
        brand.delete()
        recalculate(diagnosis, spelling=name)


def undo_correction(diagnosis: Diagnosis, public_id: uuid.UUID) -> None:
    """Undo a correction. Raises NotFound if the diagnosis has none with this id."""
    with brief_transaction():
        diagnosis = _lock_final_diagnosis(diagnosis)
        correction = diagnosis.corrections.filter(public_id=public_id).first()
        if correction is None:
            raise NotFound
        if correction.kind == Correction.Kind.ALIAS:
            for brand in diagnosis.brands.filter(name=correction.brand):
                brand.aliases = [alias for alias in brand.aliases if alias != correction.alias]
                brand.save(update_fields=["aliases"])
        answer = _lock_answer(diagnosis, correction.answer_id) if correction.answer_id else None
        correction.delete()
        if answer is not None:
            _analyse_answer(diagnosis, answer)
        recalculate(diagnosis, spelling=correction.alias)


def _lock_final_diagnosis(diagnosis: Diagnosis) -> Diagnosis:
    """Lock the row, so that the brands are changed by one request at a time."""
    locked = Diagnosis.objects.defer("report").select_for_update().get(pk=diagnosis.pk)
    _check_is_final(locked)
    return locked


def _check_is_final(diagnosis: Diagnosis) -> None:
    if not diagnosis.is_final:
        raise DiagnosisRunning
