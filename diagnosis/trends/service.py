"""Trends of a panel's rates, and comparisons of two diagnoses."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q

from diagnosis.analysis.columns import build_brand_spellings, find_named_brands, get_mentioned_brands
from diagnosis.analysis.mentions import BrandSpellings, normalize_spelling
from diagnosis.choices import AnswerState, PlatformSurface, Ternary
from diagnosis.models import Answer, Brand, Correction, Diagnosis, DiagnosisQuerySet, Platform, Question
from diagnosis.reports.builder import SURFACES
from diagnosis.reports.intervals import CONFIDENCE_LEVEL, compute_rate, compute_rate_interval
from diagnosis.trends.measurements import PlatformMeasurement, find_breaks, load_measurements
from diagnosis.trends.panels import compute_panel_key, normalize_panel_text
from diagnosis.trends.significance import CellPair, RateDifference, compute_rate_difference

MAX_TREND_POINTS = 52

CellKey = tuple[str, str]  # normalized text of the question, platform id


@dataclass(frozen=True)
class CellCounts:
    """The number of valid answers to a question on a platform, and of those that mention each brand."""

    valid: int
    mentions: Mapping[str, int]


@dataclass
class ComparisonData:
    """The part of a diagnosis that comparisons use.

    `brands` and `questions` map normalized text to the text shown, `question_ids` to an id; `own_brand` and the cells
    use normalized text.
    `spellings` are the names that count for each brand; `corrected` are brands with mentions confirmed or rejected.
    `measurements`: how each platform was asked. `surface`: the one whose cells are compared, since surfaces are never
    pooled; see `select_surface`.
    """

    own_brand: str
    brands: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)
    question_ids: dict[str, uuid.UUID] = field(default_factory=dict)
    cells: dict[CellKey, CellCounts] = field(default_factory=dict)
    spellings: dict[str, frozenset[str]] = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)
    is_judged: bool = False
    measurements: dict[str, PlatformMeasurement] = field(default_factory=dict)
    surface: str = PlatformSurface.MEMORY

    def get_surface(self, platform: str) -> str | None:
        """Return what was measured on a platform; None if its answers are of several surfaces."""
        measurement = self.measurements.get(platform)
        surfaces = measurement.surfaces if measurement else frozenset([PlatformSurface.MEMORY.value])
        return next(iter(surfaces)) if len(surfaces) == 1 else None

    def list_surfaces(self) -> list[str]:
        """Return the surfaces of the cells; the first is that of the report's headline."""
        measured = {self.get_surface(platform) for _question, platform in self.cells}
        return [surface.value for surface in SURFACES if surface in measured]

    def select_surface(self, surface: str) -> None:
        """Drop the cells of other surfaces."""
        self.surface = surface
        self.cells = {key: cell for key, cell in self.cells.items() if self.get_surface(key[1]) == surface}

    def get_counting(self, brand: str) -> tuple[object, ...]:
        """Return how a brand was counted: two rates are comparable only if it is equal."""
        versions = frozenset(each for one in self.measurements.values() for each in one.matcher_versions)
        return self.spellings.get(brand), brand in self.corrected, self.is_judged, versions

    def add_cells(self, rows: Iterable[dict[str, Any]], questions: Mapping[str, str]) -> None:
        """Add the cells of a report that have valid answers, merging questions that an imported diagnosis has twice.

        questions: normalized text by id; cells of other questions are ignored.
        """
        for row in rows:
            if row["valid"] and row["question"] in questions:
                mentions = Counter({normalize_panel_text(name): count for name, count in row["mentions"].items()})
                key = questions[row["question"]], row["platform"]
                existing = self.cells.get(key, CellCounts(0, {}))
                self.cells[key] = CellCounts(existing.valid + row["valid"], mentions + Counter(existing.mentions))

    def count_mentions(self, brand: str) -> tuple[int, int]:
        """Return (answers that mention the brand, valid answers)."""
        cells = self.cells.values()
        return sum(cell.mentions.get(brand, 0) for cell in cells), sum(cell.valid for cell in cells)


def find_same_panel(diagnosis: Diagnosis, user: AbstractBaseUser) -> DiagnosisQuerySet:
    """Return the ended diagnoses of the same panel and workspace with valid answers that the user may see."""
    if not diagnosis.panel:  # created by the previous release during an update
        texts, asked = diagnosis.questions.values_list("text", flat=True), diagnosis.answers.values("platform_id")
        diagnosis.panel = compute_panel_key(diagnosis.brand, texts, (row["platform_id"] for row in asked))
        diagnosis.save(update_fields=["panel"])
    visible = Diagnosis.objects.visible_to(user)
    return visible.filter(_build_panel_filter(diagnosis)).ended_with_answers().defer("report")


def _build_panel_filter(diagnosis: Diagnosis) -> Q:
    """The panel of the workspace in any version, with diagnoses of the owner that are not yet assigned to one."""
    unassigned = Q(workspace=None, owner_id=diagnosis.owner_id)
    if diagnosis.panel_version:
        panel_id = diagnosis.panel_version.panel_id
        return Q(workspace=diagnosis.workspace_id) & (Q(panel=diagnosis.panel) | Q(panel_version__panel=panel_id))
    if diagnosis.workspace_id is None:
        return unassigned & Q(panel=diagnosis.panel)
    return (Q(workspace=diagnosis.workspace_id) | unassigned) & Q(panel=diagnosis.panel)


def load_comparison_data(diagnoses: Sequence[Diagnosis]) -> dict[uuid.UUID, ComparisonData]:
    """Return the data by diagnosis, from the reports or, for older reports, the answers. At most six queries."""
    data = {diagnosis.pk: ComparisonData(normalize_panel_text(diagnosis.brand)) for diagnosis in diagnoses}
    spellings: dict[uuid.UUID, list[BrandSpellings]] = {pk: [] for pk in data}
    for brand in Brand.objects.filter(diagnosis__in=diagnoses):
        key = normalize_panel_text(brand.name)
        data[brand.diagnosis_id].brands[key] = brand.name
        data[brand.diagnosis_id].spellings[key] = frozenset(map(normalize_spelling, (brand.name, *brand.aliases)))
        spellings[brand.diagnosis_id] += build_brand_spellings([brand])
    decisions = Correction.objects.filter(diagnosis__in=diagnoses).exclude(kind=Correction.Kind.ALIAS)
    for pk, name in decisions.values_list("diagnosis_id", "brand").distinct():
        data[pk].corrected.add(normalize_panel_text(name))
    questions: dict[str, str] = {}
    for question in Question.objects.filter(diagnosis__in=diagnoses):
        if find_named_brands(question.text, spellings[question.diagnosis_id], is_about_brand=question.is_about_brand):
            continue  # its answers measure recognition, not the mention rate
        questions[str(question.pk)] = normalize_panel_text(question.text)
        data[question.diagnosis_id].questions[normalize_panel_text(question.text)] = question.text
        data[question.diagnosis_id].question_ids[normalize_panel_text(question.text)] = question.pk
    rows_with_reports = list(Diagnosis.objects.filter(pk__in=data).values_list("pk", "report__cells", "report__judged"))
    for pk, _cells, judged in rows_with_reports:
        data[pk].is_judged = bool(judged)
    report_cells = {pk: cells for pk, cells, _judged in rows_with_reports}
    without_cells = [pk for pk, cells in report_cells.items() if not _has_cells(cells)]
    counted_cells = _count_cells_from_answers(without_cells) if without_cells else {}
    for pk, cells in report_cells.items():
        rows = counted_cells.get(pk, ()) if pk in without_cells else cells
        data[pk].add_cells(rows, questions)
    for pk, measurements in load_measurements(data).items():
        data[pk].measurements = measurements
    return data


def _select_surface(data: Sequence[ComparisonData], wanted: str | None) -> tuple[str, list[str]]:
    """Keep the cells of one surface in all data: the wanted one, else that of the latest with cells.

    Returns the surface, and all that the data have.
    """
    by_data = [each.list_surfaces() for each in data]
    surfaces = [surface.value for surface in SURFACES if any(surface in listed for listed in by_data)]
    latest = next((listed[0] for listed in reversed(by_data) if listed), PlatformSurface.MEMORY.value)
    for each in data:
        each.select_surface(wanted or latest)
    return wanted or latest, surfaces


_CELL_KEYS = {"question", "platform", "valid", "mentions"}


def _has_cells(cells: Any) -> bool:
    """Return whether a report has usable cells: older and minimal reports do not."""
    return (
        isinstance(cells, list)
        and bool(cells)
        and all(isinstance(cell, dict) and cell.keys() >= _CELL_KEYS for cell in cells)
    )


def _count_cells_from_answers(diagnoses: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """Return the same cells as in a report, counted from the answers."""
    cells: dict[tuple[uuid.UUID, uuid.UUID, str], dict[str, Any]] = {}
    is_without_search = ~Q(surface=PlatformSurface.MEMORY) & ~Q(search_happened=Ternary.YES)
    complete = Answer.objects.filter(diagnosis__in=diagnoses, state=AnswerState.VALID, is_truncated=False)
    valid = complete.exclude(is_without_search).order_by()
    for diagnosis, question, platform, mentions in valid.values_list(
        "diagnosis_id", "question_id", "platform_id", "mentions"
    ):
        empty = {"question": str(question), "platform": platform, "valid": 0, "mentions": Counter()}
        cell = cells.setdefault((diagnosis, question, platform), empty)
        cell["valid"] += 1
        cell["mentions"].update(get_mentioned_brands(mentions))
    cells_by_diagnosis: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for (diagnosis, _question, _platform), cell in cells.items():
        cells_by_diagnosis.setdefault(diagnosis, []).append(cell)
    return cells_by_diagnosis


def _unify_brand_spellings(data: Sequence[ComparisonData]) -> None:
    """Use the latest spelling of each brand in all diagnoses."""
    names = {key: name for diagnosis in data for key, name in diagnosis.brands.items()}
    for diagnosis in data:
        diagnosis.brands = {key: names[key] for key in diagnosis.brands}


def compare_brand_rates(
    brand: str, before: ComparisonData, after: ComparisonData, confidence: float = CONFIDENCE_LEVEL
) -> RateDifference | None:
    """Return the difference of a brand's rate on the common cells; None without any."""
    pairs = [
        CellPair(key[0], key[1], _get_cell_counts(before.cells[key], brand), _get_cell_counts(after.cells[key], brand))
        for key in before.cells.keys() & after.cells.keys()
    ]
    return compute_rate_difference(sorted(pairs, key=lambda pair: (pair.question, pair.platform)), confidence)


def _get_cell_counts(cell: CellCounts, brand: str) -> tuple[int, int]:
    return cell.mentions.get(brand, 0), cell.valid


def get_common_brands(before: ComparisonData, after: ComparisonData) -> list[str]:
    """Return the brands that both include, in the order of the later diagnosis."""
    return [brand for brand in after.brands if brand in before.brands]


def build_trend(diagnosis: Diagnosis, user: AbstractBaseUser, surface: str | None = None) -> dict[str, Any]:
    """Return the latest `MAX_TREND_POINTS` diagnoses of the panel, oldest first, with the changes between them.

    surface: the one that is measured; by default that of the latest diagnosis' headline.
    """
    rows = list(find_same_panel(diagnosis, user)[: MAX_TREND_POINTS + 1])
    members = rows[:MAX_TREND_POINTS][::-1]
    data = load_comparison_data(members)
    _unify_brand_spellings([data[member.pk] for member in members])
    selected, surfaces = _select_surface([data[member.pk] for member in members], surface)
    return {
        "diagnosis": diagnosis.pk,
        "brand": diagnosis.brand,
        "confidence": CONFIDENCE_LEVEL,
        "surface": selected,
        "surfaces": surfaces,
        "has_more": len(rows) > MAX_TREND_POINTS,
        "points": [_build_point(member, data[member.pk]) for member in members],
        "changes": [
            {
                "before": before.pk,
                "after": after.pk,
                "brands": _build_changes(data[before.pk], data[after.pk]),
                "breaks": find_breaks(data[before.pk].measurements, data[after.pk].measurements),
            }
            for before, after in pairwise(members)
        ],
    }


def _build_point(diagnosis: Diagnosis, data: ComparisonData) -> dict[str, Any]:
    columns = ("brand", "status", "repeats", "planned", "valid", "created_at", "finished_at")
    return {
        "id": diagnosis.pk,
        "demo": diagnosis.is_demo,
        "schedule": diagnosis.schedule_id,
        **{name: getattr(diagnosis, name) for name in columns},
        "brands": [build_brand_rate(brand, data) for brand in data.brands],
    }


def build_brand_rate(brand: str, data: ComparisonData) -> dict[str, Any]:
    """Return a brand's rate over all valid answers of a diagnosis, with Wilson's interval."""
    mentions, valid = data.count_mentions(brand)
    low, high = compute_rate_interval(mentions, valid)
    return {
        "name": data.brands[brand],
        "is_own": brand == data.own_brand,
        "mentions": mentions,
        "valid": valid,
        "rate": compute_rate(mentions, valid),
        "low": low,
        "high": high,
    }


_UNKNOWN_DIFFERENCE = {"before": None, "after": None, "difference": None, "low": None, "high": None, "changed": "none"}
_NO_COMMON_CELLS = _UNKNOWN_DIFFERENCE | {"cells": 0, "questions": 0, "valid_before": 0, "valid_after": 0}


def _build_changes(
    before: ComparisonData, after: ComparisonData, confidence: float = CONFIDENCE_LEVEL
) -> list[dict[str, Any]]:
    changes = []
    is_broken = _is_measured_differently(before, after)
    for brand in get_common_brands(before, after):
        difference = compare_brand_rates(brand, before, after, confidence)
        difference_json = asdict(difference) if difference else _NO_COMMON_CELLS
        is_comparable = before.get_counting(brand) == after.get_counting(brand)
        changes.append(
            {
                "name": after.brands[brand],
                "is_own": brand == after.own_brand,
                **difference_json,
                **({} if is_comparable and not is_broken else {"changed": "none"}),
                "counted_differently": not is_comparable,
                "measured_differently": is_broken,
            }
        )
    return changes


def _is_measured_differently(before: ComparisonData, after: ComparisonData) -> bool:
    """Whether a platform of the surface was asked in another way, or is of this surface in only one of the two."""
    platforms = _get_platforms(before) | _get_platforms(after)
    return any(item["platform"] in platforms for item in find_breaks(before.measurements, after.measurements))


def compare_diagnoses(before: Diagnosis, after: Diagnosis, surface: str | None = None) -> dict[str, Any]:
    """Return what both diagnoses asked, what only one asked, and the changes on the common part, of one surface."""
    data = load_comparison_data([before, after])
    before_data, after_data = data[before.pk], data[after.pk]
    _unify_brand_spellings([before_data, after_data])
    selected, surfaces = _select_surface([before_data, after_data], surface)
    return {
        "confidence": CONFIDENCE_LEVEL,
        "surface": selected,
        "surfaces": surfaces,
        "breaks": find_breaks(before_data.measurements, after_data.measurements),
        "before": _build_point(before, before_data),
        "after": _build_point(after, after_data),
        "common": {
            "questions": [text for key, text in after_data.questions.items() if key in before_data.questions],
            "platforms": sorted(_get_platforms(before_data) & _get_platforms(after_data)),
            "brands": [after_data.brands[brand] for brand in get_common_brands(before_data, after_data)],
            "cells": len(before_data.cells.keys() & after_data.cells.keys()),
        },
        "only_before": _find_only_in_first(before_data, after_data),
        "only_after": _find_only_in_first(after_data, before_data),
        "changes": _build_changes(before_data, after_data),
        "platforms": _build_platform_counts(before_data, after_data),
        "questions": _build_question_counts(before_data, after_data),
    }


def _build_platform_counts(before: ComparisonData, after: ComparisonData) -> list[dict[str, Any]]:
    """Return how many answers to the common cells name the own brand, by platform."""
    common = before.cells.keys() & after.cells.keys()
    names = dict(Platform.objects.values_list("pk", "name"))
    return [
        {
            "platform": platform,
            "name": names.get(platform, platform),
            "before": _count_own(before, [key for key in common if key[1] == platform]),
            "after": _count_own(after, [key for key in common if key[1] == platform]),
        }
        for platform in sorted({platform for _question, platform in common})
    ]


def _build_question_counts(before: ComparisonData, after: ComparisonData) -> list[dict[str, Any]]:
    """Return the same by question and platform; questions with the largest difference come first."""
    common = sorted(before.cells.keys() & after.cells.keys())
    rows = []
    for key, text in after.questions.items():
        cells = [cell for cell in common if cell[0] == key]
        counts = [
            {"platform": cell[1], "before": _count_own(before, [cell]), "after": _count_own(after, [cell])}
            for cell in cells
        ]
        if counts:
            ids = {"before": before.question_ids[key], "after": after.question_ids[key]}
            rows.append({"text": text, **ids, "cells": sorted(counts, key=_get_cell_difference, reverse=True)})
    return sorted(rows, key=lambda row: _get_cell_difference(row["cells"][0]), reverse=True)


def _get_cell_difference(counts: dict[str, Any]) -> float:
    before, after = counts["before"], counts["after"]
    return float(abs(after["mentions"] / after["valid"] - before["mentions"] / before["valid"]))


def _count_own(data: ComparisonData, keys: Iterable[CellKey]) -> dict[str, int]:
    cells = [data.cells[key] for key in keys]
    return {
        "mentions": sum(cell.mentions.get(data.own_brand, 0) for cell in cells),
        "valid": sum(cell.valid for cell in cells),
    }


def _get_platforms(data: ComparisonData) -> set[str]:
    return {platform for _question, platform in data.cells}


def _find_only_in_first(first: ComparisonData, second: ComparisonData) -> dict[str, list[str]]:
    return {
        "questions": [text for key, text in first.questions.items() if key not in second.questions],
        "platforms": sorted(_get_platforms(first) - _get_platforms(second)),
        "brands": [name for key, name in first.brands.items() if key not in second.brands],
    }


def find_previous(diagnosis: Diagnosis, before: datetime | None = None) -> Diagnosis | None:
    """Return the run of the panel that a diagnosis is compared with: the last one before it, or before a time."""
    panel = Diagnosis.objects.filter(_build_panel_filter(diagnosis), created_at__lt=before or diagnosis.created_at)
    return panel.ended_with_answers().defer("report").first()


def compare_with_previous(
    diagnosis: Diagnosis, previous: Diagnosis
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the changes of all brands since the previous run, and what was measured differently.

    The confidence level is corrected for the number of brands (Bonferroni), so that at most one in twenty runs without
    any change shows one.
    """
    data = load_comparison_data([previous, diagnosis])
    before, after = data[previous.pk], data[diagnosis.pk]
    _unify_brand_spellings([before, after])
    _select_surface([before, after], None)
    comparable = [
        brand for brand in get_common_brands(before, after) if before.get_counting(brand) == after.get_counting(brand)
    ]
    confidence = 1 - (1 - CONFIDENCE_LEVEL) / max(1, len(comparable))
    return _build_changes(before, after, confidence), find_breaks(before.measurements, after.measurements)
