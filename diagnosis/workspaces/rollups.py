"""The stored figures of a run: written with its report, and read by overviews and digests instead of it.

A correction writes them again, with the changes of the run that is compared with it.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction

from diagnosis.models import Answer, Diagnosis, RunFigure, RunSummary
from diagnosis.reports.service import get_current_report
from diagnosis.trends.service import compare_with_previous, find_previous
from diagnosis.workspaces.defaults import build_name_key


def store_summary(diagnosis: Diagnosis) -> RunSummary:
    """Store the figures of an ended diagnosis from its current report; storing again replaces them."""
    report = get_current_report(diagnosis)
    with transaction.atomic():
        RunFigure.objects.filter(diagnosis=diagnosis).delete()
        # An imported diagnosis may have two brands of one name.
        RunFigure.objects.bulk_create(_iter_figures(diagnosis, report), ignore_conflicts=True)
        previous = find_previous(diagnosis) if diagnosis.valid else None
        changes, breaks = compare_with_previous(diagnosis, previous) if previous else ([], [])
        summary, _is_new = RunSummary.objects.update_or_create(
            diagnosis=diagnosis,
            defaults={
                "surface": report["surface"],
                "surfaces": [surface["surface"] for surface in report["surfaces"]],
                "previous": previous,
                "changes": changes,
                "breaks": breaks,
                "platforms": _list_platforms(diagnosis, report),
                "own_site": {
                    surface["surface"]: {"cited": surface["own_site_cited"], "answers": surface["answers"]}
                    for surface in report["sources"]
                },
                **_describe_questions(diagnosis, report),
            },
        )
    return summary


def refresh_summary(diagnosis: Diagnosis) -> None:
    """Store the figures of a corrected diagnosis, and of the one that is compared with it."""
    store_summary(diagnosis)
    for successor in Diagnosis.objects.filter(summary__previous=diagnosis):
        store_summary(successor)


def _iter_figures(diagnosis: Diagnosis, report: Mapping[str, Any]) -> Iterator[RunFigure]:
    surfaces: dict[str, str] = {}
    for surface in report["surfaces"]:
        surfaces |= {platform: surface["surface"] for platform in surface["platforms"] if platform not in surfaces}
        for position, brand in enumerate(surface["brands"]):
            yield _build_figure(diagnosis, brand, position, surface["surface"], "", brand["figures"])
    for position, brand in enumerate(report["brands"]):
        for platform, figures in brand["by_platform"].items():
            if platform in surfaces:
                yield _build_figure(diagnosis, brand, position, surfaces[platform], platform, figures)


def _build_figure(
    diagnosis: Diagnosis,
    brand: Mapping[str, Any],
    position: int,
    surface: str,
    platform: str,
    figures: Mapping[str, Any],
) -> RunFigure:
    return RunFigure(
        diagnosis=diagnosis,
        key=build_name_key(brand["name"]),
        name=brand["name"],
        is_own=brand["is_own"],
        position=position,
        surface=surface,
        platform=platform,
        k=figures["mentions"],
        n=figures["valid"],
        first=figures["first_mentions"],
        judged=figures["judged"],
        recommended=figures["recommendations"],
        share=figures["share_of_voice"],
        share_low=figures["share_of_voice_low"],
        share_high=figures["share_of_voice_high"],
    )


def _list_platforms(diagnosis: Diagnosis, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the platforms of the answers, with the models that they name in their replies."""
    columns = ("platform_id", "platform__name", "model", "surface")
    rows = Answer.objects.filter(diagnosis=diagnosis).order_by("platform__position", "platform_id", "model")
    counts = {row["id"]: row for row in report["platforms"]}
    platforms: dict[str, dict[str, Any]] = {}
    for platform, name, model, surface in rows.values_list(*columns).distinct():
        numbers = counts.get(platform, {})
        entry = platforms.setdefault(
            platform,
            {"id": platform, "name": name, "surface": surface, "models": []}
            | {key: numbers.get(key, 0) for key in ("planned", "valid", "failed")},
        )
        entry["models"] += [model] if model and model not in entry["models"] else []
    return list(platforms.values())


def _describe_questions(diagnosis: Diagnosis, report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    texts = {str(pk): text for pk, text in diagnosis.questions.values_list("pk", "text")}
    own = next((brand for brand in report["brands"] if brand["is_own"]), None)
    by_question = own["by_question"] if own else {}
    return {
        "lost": [row | {"text": texts.get(row["question"], "")} for row in report["lost"]],
        "questions": [
            {"text": texts.get(question, ""), "k": figures["mentions"], "n": figures["valid"]}
            for question, figures in by_question.items()
        ],
    }


def find_figures(diagnoses: list[uuid.UUID]) -> dict[uuid.UUID, list[RunFigure]]:
    """Return the stored figures by diagnosis, the own brand first, in one query."""
    figures: dict[uuid.UUID, list[RunFigure]] = {pk: [] for pk in diagnoses}
    for figure in RunFigure.objects.filter(diagnosis__in=diagnoses).order_by("-is_own", "position", "platform"):
        figures[figure.diagnosis_id].append(figure)
    return figures
