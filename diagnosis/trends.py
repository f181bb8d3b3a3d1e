"""How a panel's rates move from one diagnosis to the next, and what two diagnoses have in common."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from diagnosis.choices import AnswerState
from diagnosis.differences import CONFIDENCE, Difference, Pair, difference_of
from diagnosis.figures import rate, wilson_interval
from diagnosis.mentions import BrandNames
from diagnosis.models import Answer, Brand, Diagnosis, DiagnosisQuerySet, Question
from diagnosis.panels import normal, panel_of
from diagnosis.reporting import brand_names, mentioned_brands, named_brands

MOST_POINTS = 52

CellKey = tuple[str, str]  # question, platform


@dataclass(frozen=True)
class Cell:
    """The valid answers to one question at one platform, and how many of them name each brand."""

    valid: int
    mentions: Mapping[str, int]


@dataclass
class Facts:
    """What a comparison needs of a diagnosis. Brands and questions go by their normal spelling, which leads to what
    is shown; own: the diagnosis's own brand."""

    own: str
    brands: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)
    cells: dict[CellKey, Cell] = field(default_factory=dict)

    def counts(self, brand: str) -> tuple[int, int]:
        """(answers that name it, valid answers)."""
        cells = self.cells.values()
        return sum(cell.mentions.get(brand, 0) for cell in cells), sum(cell.valid for cell in cells)


def same_panel(diagnosis: Diagnosis, user: AbstractBaseUser) -> DiagnosisQuerySet:
    """The diagnoses of its owner that asked the same and have answers, as far as the user may see them."""
    if not diagnosis.panel:
        _fill_panel(diagnosis)
    found = Diagnosis.objects.visible_to(user).filter(owner_id=diagnosis.owner_id, panel=diagnosis.panel)
    return found.ended_with_answers().defer("report")


def _fill_panel(diagnosis: Diagnosis) -> None:
    """Of a diagnosis that a process of the release before took, while the site was updated."""
    texts, asked = diagnosis.questions.values_list("text", flat=True), diagnosis.answers.values("platform_id")
    diagnosis.panel = panel_of(diagnosis.brand, texts, (row["platform_id"] for row in asked))
    diagnosis.save(update_fields=["panel"])


def facts_of(diagnoses: Sequence[Diagnosis]) -> dict[uuid.UUID, Facts]:
    """By diagnosis, from their reports; where one is of an older form, from the answers. At most four queries."""
    facts = {diagnosis.pk: Facts(normal(diagnosis.brand)) for diagnosis in diagnoses}
    spellings: dict[uuid.UUID, list[BrandNames]] = {pk: [] for pk in facts}
    for brand in Brand.objects.filter(diagnosis__in=diagnoses):
        facts[brand.diagnosis_id].brands[normal(brand.name)] = brand.name
        spellings[brand.diagnosis_id] += brand_names([brand])
    questions: dict[str, str] = {}
    for question in Question.objects.filter(diagnosis__in=diagnoses):
        if named_brands(question.text, spellings[question.diagnosis_id]):
            continue  # it measures recognition, which is no mention rate
        questions[str(question.pk)] = normal(question.text)
        facts[question.diagnosis_id].questions[normal(question.text)] = question.text
    reported = dict(Diagnosis.objects.filter(pk__in=facts).values_list("pk", "report__cells"))
    missing = [pk for pk, cells in reported.items() if not _are_cells(cells)]
    counted = _count_answers(missing) if missing else {}
    for pk, cells in reported.items():
        rows = counted.get(pk, ()) if pk in missing else cells
        facts[pk].cells = _cells(rows, questions)
    return facts


_KEYS = {"question", "platform", "valid", "mentions"}


def _are_cells(cells: Any) -> bool:
    """Whether a report tells them: an old one does not, an empty one was not made."""
    return (
        isinstance(cells, list)
        and bool(cells)
        and all(isinstance(cell, dict) and cell.keys() >= _KEYS for cell in cells)
    )


def _count_answers(diagnoses: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """The same cells as the report's, from the answers."""
    cells: dict[tuple[uuid.UUID, uuid.UUID, str], dict[str, Any]] = {}
    valid = Answer.objects.filter(diagnosis__in=diagnoses, state=AnswerState.VALID).order_by()
    for diagnosis, question, platform, mentions in valid.values_list(
        "diagnosis_id", "question_id", "platform_id", "mentions"
    ):
        empty = {"question": str(question), "platform": platform, "valid": 0, "mentions": Counter()}
        cell = cells.setdefault((diagnosis, question, platform), empty)
        cell["valid"] += 1
        cell["mentions"].update(mentioned_brands(mentions))
    found: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for (diagnosis, _question, _platform), cell in cells.items():
        found.setdefault(diagnosis, []).append(cell)
    return found


def _cells(rows: Iterable[dict[str, Any]], questions: Mapping[str, str]) -> dict[CellKey, Cell]:
    """Those with valid answers. A question that an imported diagnosis has twice is one."""
    found: dict[CellKey, Cell] = {}
    for row in rows:
        if row["valid"] and row["question"] in questions:
            mentions = Counter({normal(name): count for name, count in row["mentions"].items()})
            key = questions[row["question"]], row["platform"]
            same = found.get(key, Cell(0, {}))
            found[key] = Cell(same.valid + row["valid"], mentions + Counter(same.mentions))
    return found


def _name_alike(facts: Sequence[Facts]) -> None:
    """Show a brand that was written in several ways as it was written last."""
    names = {key: name for one in facts for key, name in one.brands.items()}
    for one in facts:
        one.brands = {key: names[key] for key in one.brands}


def compare_brand(brand: str, before: Facts, after: Facts, confidence: float = CONFIDENCE) -> Difference | None:
    """The difference of a brand's rate on the cells that both have answers for; None without any."""
    pairs = [
        Pair(key[0], key[1], _counts(before.cells[key], brand), _counts(after.cells[key], brand))
        for key in before.cells.keys() & after.cells.keys()
    ]
    return difference_of(sorted(pairs, key=lambda pair: (pair.question, pair.platform)), confidence)


def _counts(cell: Cell, brand: str) -> tuple[int, int]:
    return cell.mentions.get(brand, 0), cell.valid


def common_brands(before: Facts, after: Facts) -> list[str]:
    """Those that were looked for in both, in the order of the later one."""
    return [brand for brand in after.brands if brand in before.brands]


def trend_of(diagnosis: Diagnosis, user: AbstractBaseUser) -> dict[str, Any]:
    """Its panel's diagnoses, the oldest first, and what changed from each to the next; the newest 52 of them."""
    rows = list(same_panel(diagnosis, user)[: MOST_POINTS + 1])
    members = rows[:MOST_POINTS][::-1]
    facts = facts_of(members)
    _name_alike([facts[member.pk] for member in members])
    return {
        "diagnosis": diagnosis.pk,
        "brand": diagnosis.brand,
        "confidence": CONFIDENCE,
        "has_more": len(rows) > MOST_POINTS,
        "points": [_point(member, facts[member.pk]) for member in members],
        "changes": [
            {
                "before": one.pk,
                "after": two.pk,
                "brands": _changes(facts[one.pk], facts[two.pk]),
            }
            for one, two in pairwise(members)
        ],
    }


def _point(diagnosis: Diagnosis, facts: Facts) -> dict[str, Any]:
    return _summary(diagnosis) | {"brands": [figures(brand, facts) for brand in facts.brands]}


def _summary(diagnosis: Diagnosis) -> dict[str, Any]:
    columns = ("brand", "status", "repeats", "planned", "valid", "created_at", "finished_at")
    values = {name: getattr(diagnosis, name) for name in columns}
    return {"id": diagnosis.pk, "demo": diagnosis.is_demo, "schedule": diagnosis.schedule_id, **values}


def figures(brand: str, facts: Facts) -> dict[str, Any]:
    """A brand's rate over all valid answers of a diagnosis, with Wilson's interval."""
    mentions, valid = facts.counts(brand)
    low, high = wilson_interval(mentions, valid) or (None, None)
    return {
        "name": facts.brands[brand],
        "is_own": brand == facts.own,
        "mentions": mentions,
        "valid": valid,
        "rate": rate(mentions, valid),
        "low": low,
        "high": high,
    }


_UNKNOWN = {"before": None, "after": None, "difference": None, "low": None, "high": None, "changed": "none"}
_NOTHING_COMMON = _UNKNOWN | {"cells": 0, "questions": 0, "valid_before": 0, "valid_after": 0}


def _changes(before: Facts, after: Facts) -> list[dict[str, Any]]:
    """Of every brand that was looked for in both."""
    found = []
    for brand in common_brands(before, after):
        difference = compare_brand(brand, before, after)
        told = asdict(difference) if difference else _NOTHING_COMMON
        found.append({"name": after.brands[brand], "is_own": brand == after.own, **told})
    return found


def compare(before: Diagnosis, after: Diagnosis) -> dict[str, Any]:
    """Two diagnoses side by side: what both asked, what only one did, and what changed on the common part."""
    facts = facts_of([before, after])
    one, two = facts[before.pk], facts[after.pk]
    _name_alike([one, two])
    return {
        "confidence": CONFIDENCE,
        "before": _point(before, one),
        "after": _point(after, two),
        "common": {
            "questions": [text for key, text in two.questions.items() if key in one.questions],
            "platforms": sorted(_platforms(one) & _platforms(two)),
            "brands": [two.brands[brand] for brand in common_brands(one, two)],
            "cells": len(one.cells.keys() & two.cells.keys()),
        },
        "only_before": _only(one, two),
        "only_after": _only(two, one),
        "changes": _changes(one, two),
    }


def _platforms(facts: Facts) -> set[str]:
    return {platform for _question, platform in facts.cells}


def _only(one: Facts, other: Facts) -> dict[str, list[str]]:
    return {
        "questions": [text for key, text in one.questions.items() if key not in other.questions],
        "platforms": sorted(_platforms(one) - _platforms(other)),
        "brands": [name for key, name in one.brands.items() if key not in other.brands],
    }


def moves_of(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """What has moved since the panel's diagnosis before this one, for a notice; empty where that is not sure.

    All brands are looked at together (Bonferroni): with ten brands, one in two quiet weeks would have a "move" of
    some brand otherwise.
    """
    earlier = same_panel(diagnosis, diagnosis.owner).filter(created_at__lt=diagnosis.created_at).first()
    if earlier is None or not diagnosis.valid:
        return []
    facts = facts_of([earlier, diagnosis])
    one, two = facts[earlier.pk], facts[diagnosis.pk]
    brands = common_brands(one, two)
    moves = []
    for brand in brands:
        found = compare_brand(brand, one, two, 1 - (1 - CONFIDENCE) / len(brands))
        if found and found.changed != "none":
            moves.append({"name": two.brands[brand], "is_own": brand == two.own, **asdict(found)})
    return moves
