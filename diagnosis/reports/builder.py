"""Compute the report: a pure function of the answers, without database access."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from diagnosis.choices import AnswerState, PlatformSurface
from diagnosis.reports.answers import ReportAnswer, ReportBrand, count_states, filter_valid
from diagnosis.reports.bootstrap import bootstrap_share_intervals
from diagnosis.reports.brand_metrics import compute_brand_metrics
from diagnosis.reports.judgements import count_recommendations, summarize_sentiment
from diagnosis.reports.verdict import AnswerMentions, build_verdict

GroupKey = TypeVar("GroupKey")

# The first of them that a diagnosis has is what its headline measures: people ask with search on.
SURFACES = (PlatformSurface.SEARCH, PlatformSurface.APP, PlatformSurface.MEMORY)

MAX_OTHER_BRANDS = 20
MAX_DOMAINS = 50

KIND_UNBRANDED, KIND_RECOGNITION = "unbranded", "recognition"  # of a question


def build_report(
    brands: Sequence[ReportBrand],
    answers: Sequence[ReportAnswer],
    seed: int = 0,
    named_brands: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return the report as stored: figures of each brand overall, by platform and by question, and other findings.

    Surfaces (memory, search, app) are different measurements: `surface` is the one of all figures, except by platform
    and by cell, which have one surface each, and `surfaces`, which has the figures of every surface.

    `seed` is that of the bootstrap. `named_brands` maps a question to the brands that it names. Answers tend to repeat
    these, so the answers to such questions are in `recognition` only; counts, failures, other brands and domains cover
    all answers.
    """
    brands_by_question = {question: list(names) for question, names in (named_brands or {}).items() if names}
    surfaces = [surface for surface in SURFACES if any(answer.surface == surface for answer in answers)]
    surface = surfaces[0] if surfaces else SURFACES[0]
    all_unbranded = [answer for answer in answers if answer.question not in brands_by_question]
    all_branded = [answer for answer in answers if answer.question in brands_by_question]
    unbranded = [answer for answer in all_unbranded if answer.surface == surface]
    branded = [answer for answer in all_branded if answer.surface == surface]
    valid = filter_valid(answers)
    platforms = _group_by(answers, lambda answer: answer.platform)
    questions = _group_by(answers, lambda answer: answer.question)
    brand_reports = _build_brand_reports(brands, unbranded, all_unbranded, platforms, seed)
    return {
        **count_states(answers),
        "unbranded": count_states(unbranded),
        "verdict": build_verdict(
            next((brand.name for brand in brands if brand.is_own), None),
            [brand.name for brand in brands if not brand.is_own],
            [AnswerMentions(answer.question, answer.mentioned) for answer in filter_valid(unbranded)],
            is_only_recognition=bool(branded) and not unbranded,
        ),
        "brands": brand_reports,
        "surface": surface,
        "surfaces": [_build_surface_report(brands, each, all_unbranded, seed) for each in surfaces],
        "platforms": [{"id": platform, **count_states(group)} for platform, group in platforms.items()],
        "questions": [
            {
                "id": question,
                "kind": KIND_RECOGNITION if question in brands_by_question else KIND_UNBRANDED,
                "named": brands_by_question.get(question, []),
                **count_states(question_answers),
            }
            for question, question_answers in questions.items()
        ],
        "cells": _build_cells(brands, all_unbranded),
        "judged": sum(answer.extracted is not None for answer in valid) or None,
        "lost": _find_lost_questions(brand_reports),
        "recognition": {
            **count_states(branded),
            "brands": _build_brand_reports(brands, branded, all_branded, platforms, seed),
            "cells": _build_cells(brands, all_branded),
        }
        if all_branded
        else None,
        "others": _count_other_brands(valid),
        "domains": _count_domains(answers),
        "domains_by_platform": {
            platform: _count_domains(platform_answers) for platform, platform_answers in platforms.items()
        },
        "failures": _count_failures(answers),
    }


def _build_surface_report(
    brands: Sequence[ReportBrand], surface: str, answers: Sequence[ReportAnswer], seed: int
) -> dict[str, Any]:
    """Return the figures of one surface; `answers` are of all surfaces."""
    measured = [answer for answer in answers if answer.surface == surface]
    metrics = _compute_metrics_by_brand([brand.name for brand in brands], measured, seed)
    return {
        "surface": surface,
        "platforms": list(dict.fromkeys(answer.platform for answer in measured)),
        **count_states(measured),
        "brands": [{"name": brand.name, "is_own": brand.is_own, "figures": metrics[brand.name]} for brand in brands],
    }


def _build_brand_reports(
    brands: Sequence[ReportBrand],
    answers: Sequence[ReportAnswer],
    all_answers: Sequence[ReportAnswer],
    platforms: Iterable[str],
    seed: int,
) -> list[dict[str, Any]]:
    """answers: of one surface; all_answers: of every surface, for the figures by platform."""
    names = [brand.name for brand in brands]
    overall = _compute_metrics_by_brand(names, answers, seed)
    by_platform = {
        platform: _compute_metrics_by_brand(
            names, [answer for answer in all_answers if answer.platform == platform], seed
        )
        for platform in platforms
    }
    by_question = {
        question: _compute_metrics_by_brand(names, question_answers, seed)
        for question, question_answers in _group_by(answers, lambda answer: answer.question).items()
    }
    return [
        {
            "name": brand.name,
            "is_own": brand.is_own,
            "figures": overall[brand.name],
            "sentiment": summarize_sentiment(brand.name, answers),
            "by_platform": {platform: metrics[brand.name] for platform, metrics in by_platform.items()},
            "by_question": {question: metrics[brand.name] for question, metrics in by_question.items()},
        }
        for brand in brands
    ]


def _group_by(
    answers: Iterable[ReportAnswer], key: Callable[[ReportAnswer], GroupKey]
) -> dict[GroupKey, list[ReportAnswer]]:
    groups: dict[GroupKey, list[ReportAnswer]] = {}
    for answer in answers:
        groups.setdefault(key(answer), []).append(answer)
    return groups


def _compute_metrics_by_brand(
    names: Sequence[str], answers: Sequence[ReportAnswer], seed: int
) -> dict[str, dict[str, Any]]:
    valid = filter_valid(answers)
    # Positions, from 1, among the brands of the diagnosis that an answer mentions.
    ranks = [
        {name: rank for rank, name in enumerate((name for name in dict.fromkeys(answer.mentioned) if name in names), 1)}
        for answer in valid
    ]
    # Sorted, so that the order of the answers does not matter.
    mention_counts = {question: dict.fromkeys(names, 0) for question in sorted({answer.question for answer in valid})}
    for answer, named in zip(valid, ranks, strict=True):
        # A brand counts once per answer, however often the answer repeats it.
        for name in named:
            mention_counts[answer.question][name] += 1
    counts = [list(question_counts.values()) for question_counts in mention_counts.values()]
    intervals = bootstrap_share_intervals(counts, seed) or [None] * len(names)
    return {
        name: compute_brand_metrics(
            [named.get(name) for named in ranks],
            planned=len(answers),
            uncertain=sum(name in answer.uncertain for answer in valid),
            total_mentions=sum(map(sum, counts)),
            question_count=len(mention_counts),
            share_interval=interval,
            recommendations=count_recommendations(name, valid),
        ).model_dump()
        for name, interval in zip(names, intervals, strict=True)
    }


def _build_cells(brands: Sequence[ReportBrand], answers: Sequence[ReportAnswer]) -> list[dict[str, Any]]:
    """Return the cells of the heat map, question x platform. mentions: {brand: answers that mention it}."""
    cells = []
    for (question, platform), cell_answers in _group_by(
        answers, lambda answer: (answer.question, answer.platform)
    ).items():
        mentions = {
            brand.name: sum(brand.name in answer.mentioned for answer in filter_valid(cell_answers)) for brand in brands
        }
        cells.append({"question": question, "platform": platform, **count_states(cell_answers), "mentions": mentions})
    return cells


def _find_lost_questions(brand_reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the questions where a competitor is mentioned in more answers than the own brand."""
    own = next((report for report in brand_reports if report["is_own"]), None)
    competitors = {report["name"]: report["by_question"] for report in brand_reports if not report["is_own"]}
    lost: list[dict[str, Any]] = []
    if own is None or not competitors:
        return lost
    for question, own_metrics in own["by_question"].items():
        mentions = {name: by_question[question]["mentions"] for name, by_question in competitors.items()}
        winner_mentions = max(mentions.values())
        if winner_mentions > own_metrics["mentions"]:
            winners = [name for name, count in mentions.items() if count == winner_mentions]
            counts = {
                "valid": own_metrics["valid"],
                "planned": own_metrics["planned"],
                "mentions": own_metrics["mentions"],
            }
            lost.append({"question": question, **counts, "winners": winners, "winners_mentions": winner_mentions})
    return lost


def _count_other_brands(answers: Sequence[ReportAnswer]) -> list[dict[str, Any]]:
    """Count the brands that are not part of the diagnosis, after them the guesses that are none of these."""
    known = _count_most_common("name", (answer.others for answer in answers), limit=MAX_OTHER_BRANDS)
    names = {row["name"] for row in known}
    guesses = _count_most_common(
        "name",
        ([name for name in answer.discovered if name not in names] for answer in answers),
        limit=MAX_OTHER_BRANDS,
    )
    rows = [*(row | {"is_guess": False} for row in known), *(row | {"is_guess": True} for row in guesses)]
    return rows[:MAX_OTHER_BRANDS]


def _count_most_common(key: str, values_by_answer: Iterable[Iterable[str]], *, limit: int) -> list[dict[str, Any]]:
    """Return [{key: value, "answers": count}] of the values in most answers; equal counts in alphabetical order."""
    counts = Counter(value for values in values_by_answer for value in dict.fromkeys(values))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{key: value, "answers": count} for value, count in ordered[:limit]]


def _count_domains(answers: Iterable[ReportAnswer]) -> list[dict[str, Any]] | None:
    """Return None, not an empty list, when no answer cites any: the platforms may just not name their sources."""
    domains_by_answer = (answer.domains or () for answer in filter_valid(answers))
    return _count_most_common("domain", domains_by_answer, limit=MAX_DOMAINS) or None


def _count_failures(answers: Iterable[ReportAnswer]) -> list[dict[str, Any]]:
    counts = Counter(
        (answer.platform, answer.error_code)
        for answer in answers
        if answer.state in (AnswerState.FAILED, AnswerState.FILTERED)
    )
    return [{"platform": platform, "code": code, "count": count} for (platform, code), count in counts.items()]
