"""What the user knows better: a hit, an alias, one competitor more. Rows, hits and report change together."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.exceptions import DiagnosisRunning
from diagnosis.mentions import fold
from diagnosis.models import Answer, Brand, Correction, Diagnosis
from diagnosis.reporting import CONFIRMED, analyse_again, brand_names, make_report
from errors.exceptions import InvalidInput, NotFound
from performance.cache import touch

MOST_ALIASES = 20
MOST_COMPETITORS = 10  # as many as an order may have


@dataclass(frozen=True)
class Hit:
    """Where an answer may name a brand: offsets in code points of its text."""

    answer: uuid.UUID
    brand: str
    start: int
    end: int


def judge_hit(diagnosis: Diagnosis, hit: Hit, user: AbstractBaseUser, *, is_right: bool) -> Correction:
    """Confirm or reject a hit; the last word on a place counts.

    Raises DiagnosisRunning before the end and InvalidInput where the answer has no such hit and never had.
    """
    with transaction.atomic():
        diagnosis = _lock(diagnosis)
        answer = diagnosis.answers.filter(pk=hit.answer).first()
        place: dict[str, Any] = {"answer": answer, "brand": hit.brand, "start": hit.start, "end": hit.end}
        is_known = answer is not None and (
            any(found[:3] == [hit.brand, hit.start, hit.end] for found in answer.mentions)
            or diagnosis.corrections.filter(**place).exists()
        )
        if not is_known:
            raise InvalidInput(fields={"start": _("这个回答的这个位置没有找到该品牌。")})
        kind = Correction.Kind.CONFIRM if is_right else Correction.Kind.REJECT
        correction, _is_new = diagnosis.corrections.update_or_create(
            **place, defaults={"kind": kind, "user_id": user.pk}
        )
        _recompute(diagnosis)
    return correction


def add_alias(diagnosis: Diagnosis, brand: str, alias: str, user: AbstractBaseUser) -> Correction:
    """Let another spelling count for a brand, in all answers. Raises InvalidInput when another brand has it."""
    with transaction.atomic():
        diagnosis = _lock(diagnosis)
        brands = {one.name: one for one in diagnosis.brands.all()}
        if brand not in brands:
            raise InvalidInput(fields={"brand": _("本次诊断里没有这个品牌。")})
        _refuse_double(alias, brands.values(), field="alias")
        row = brands[brand]
        if len(row.aliases) >= MOST_ALIASES:
            raise InvalidInput(fields={"alias": _("别名太多了，请先删除一些。")})
        row.aliases = [*row.aliases, alias]
        row.save(update_fields=["aliases"])
        correction = diagnosis.corrections.create(kind=Correction.Kind.ALIAS, brand=brand, alias=alias, user_id=user.pk)
        _recompute(diagnosis)
    return correction


def _refuse_double(spelling: str, brands: Iterable[Brand], *, field: str) -> None:
    taken = {fold(known) for one in brands for known in (one.name, *one.aliases)}
    if fold(spelling) in taken:
        raise InvalidInput(fields={field: _("这个写法已经有了。")})


def add_competitor(diagnosis: Diagnosis, name: str) -> Brand:
    """Count one more brand in the stored answers; nothing is asked again, and no sentiment is judged.

    Raises InvalidInput for a spelling that some brand has, and when there are enough competitors.
    """
    with transaction.atomic():
        diagnosis = _lock(diagnosis)
        brands = list(diagnosis.brands.all())
        _refuse_double(name, brands, field="name")
        if sum(not brand.is_own for brand in brands) >= MOST_COMPETITORS:
            raise InvalidInput(fields={"name": _("竞品最多 %(most)s 个。") % {"most": MOST_COMPETITORS}})
        last = max((brand.position for brand in brands), default=0)
        added = diagnosis.brands.create(name=name, position=max(last + 1, Brand.FIRST_ADDED))
        _recompute(diagnosis)
    return added


def remove_competitor(diagnosis: Diagnosis, name: str) -> None:
    """Take back a competitor that was added, and what was said of it. Raises NotFound where there is no such one."""
    with transaction.atomic():
        diagnosis = _lock(diagnosis)
        brand = next((one for one in diagnosis.brands.filter(name=name) if one.is_added), None)
        if brand is None:
            raise NotFound
        diagnosis.corrections.filter(brand=name).delete()
        brand.delete()
        _recompute(diagnosis)


def undo_correction(diagnosis: Diagnosis, correction_id: int) -> None:
    """Take a correction back. Raises NotFound when the diagnosis has no such one."""
    with transaction.atomic():
        diagnosis = _lock(diagnosis)
        correction = diagnosis.corrections.filter(pk=correction_id).first()
        if correction is None:
            raise NotFound
        if correction.kind == Correction.Kind.ALIAS:
            for brand in diagnosis.brands.filter(name=correction.brand):
                brand.aliases = [alias for alias in brand.aliases if alias != correction.alias]
                brand.save(update_fields=["aliases"])
        correction.delete()
        _recompute(diagnosis)


def _lock(diagnosis: Diagnosis) -> Diagnosis:
    locked = Diagnosis.objects.select_for_update().get(pk=diagnosis.pk)
    if not locked.is_final:
        raise DiagnosisRunning
    return locked


def _recompute(diagnosis: Diagnosis) -> None:
    """Look through all answers again, apply what the user has said, and store the report that follows."""
    brands = brand_names(diagnosis.brands.all())
    answers = analyse_again(diagnosis.answers.select_related("question"), brands)
    verdicts: dict[uuid.UUID | None, dict[tuple[Any, ...], str]] = {}
    for one in diagnosis.corrections.exclude(answer=None):
        verdicts.setdefault(one.answer_id, {})[one.brand, one.start, one.end] = one.kind
    for answer in answers:
        answer.mentions = corrected(answer.mentions, verdicts.get(answer.pk, {}))
    Answer.objects.bulk_update(answers, ["mentions", "others", "domains"], batch_size=200)
    diagnosis.report = make_report(diagnosis)
    diagnosis.save(update_fields=["report"])
    touch(f"diagnosis:{diagnosis.pk}")


def corrected(mentions: list[list[Any]], verdicts: dict[tuple[Any, ...], str]) -> list[list[Any]]:
    """The hits without the rejected ones, and with those that were confirmed, also where nobody finds them now."""
    kept = [mention for mention in mentions if tuple(mention[:3]) not in verdicts]
    confirmed = [[*place, CONFIRMED] for place, kind in verdicts.items() if kind == Correction.Kind.CONFIRM]
    return sorted([*kept, *confirmed], key=lambda mention: (mention[1], mention[2]))
