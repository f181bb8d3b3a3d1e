"""Build the report of a diagnosis from its rows, and read the stored one."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db.models.functions import MD5

from diagnosis.analysis.columns import (
    build_brand_spellings,
    find_named_brands,
    get_mentioned_brands,
    get_uncertain_brands,
    match_extracted_brands,
)
from diagnosis.analysis.extraction import ExtractedBrand, read_extraction
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, PlatformSurface
from diagnosis.models import Answer, Brand, Diagnosis, Question, SearchQuery, SiteClass, Source
from diagnosis.platforms.demo.web import get_demo_site_kinds
from diagnosis.reports.answers import ReportAnswer, ReportBrand
from diagnosis.reports.builder import build_report
from diagnosis.reports.sources import BrandSites, ReportSource, SiteClassifier, build_sources
from diagnosis.reports.verdict import build_unknown_verdict

# Increment when `build_report_from_rows` returns something else: older stored reports are then rebuilt when read.
REPORT_VERSION = 5

ANSWER_ORDERING = ("question__position", "platform__position", "platform_id", "repeat")

# With the diagnosis among them, Django does not read it again for every answer.
_REPORT_COLUMNS = (
    "diagnosis",
    "platform",
    "state",
    "mentions",
    "error_code",
    "question",
    "others",
    "domains",
    "extraction",
    "is_truncated",
    "repeat",
    "surface",
    "search_happened",
    "discovered",
)


def build_report_from_database(diagnosis: Diagnosis) -> dict[str, Any]:
    """Build the report of the stored answers, in four queries for any number of them."""
    answers = diagnosis.answers.order_by(*ANSWER_ORDERING).only(*_REPORT_COLUMNS).annotate(text_digest=MD5("text"))
    return build_report_from_rows(diagnosis, diagnosis.brands.all(), diagnosis.questions.all(), answers)


def build_report_from_rows(
    diagnosis: Diagnosis, brands: Iterable[Brand], questions: Iterable[Question], answers: Iterable[Answer]
) -> dict[str, Any]:
    """Build the report of rows that may be unsaved; answers in the order of questions and platforms."""
    brands = list(brands)
    spellings = build_brand_spellings(brands)
    answers = list(answers)
    repeated = _find_repeated(answers)
    report_answers = [
        ReportAnswer(
            answer.platform_id,
            str(answer.state),
            get_mentioned_brands(answer.mentions),
            answer.error_code,
            question=str(answer.question_id),
            uncertain=get_uncertain_brands(answer.mentions),
            others=answer.others or (),
            domains=answer.domains,
            id=str(answer.pk),
            extracted=_match_extraction(answer, spellings),
            discovered=answer.discovered,
            is_truncated=answer.is_truncated,
            is_without_search=answer.is_without_requested_search,
            is_repeated=answer.pk in repeated,
            surface=str(answer.surface),
        )
        for answer in answers
    ]
    report = build_report(
        [ReportBrand(brand.name, brand.is_own) for brand in brands],
        report_answers,
        seed=diagnosis.pk.int % 2**32,  # so that the same answers always have the same intervals
        named_brands={
            str(question.pk): find_named_brands(question.text, spellings, is_about_brand=question.is_about_brand)
            for question in questions
        },
    )
    return {"version": REPORT_VERSION, **report, "sources": _build_sources(diagnosis, brands, report_answers)}


def _build_sources(
    diagnosis: Diagnosis, brands: Sequence[Brand], answers: Sequence[ReportAnswer]
) -> list[dict[str, Any]]:
    if all(answer.surface == PlatformSurface.MEMORY for answer in answers):
        return []
    rows = Source.objects.filter(answer__diagnosis=diagnosis).order_by("answer", "position")
    columns = rows.values_list("answer_id", "host", "page", "url", "title", "cited")
    queries = SearchQuery.objects.filter(answer__diagnosis=diagnosis).order_by("answer", "position")
    return build_sources(
        answers,
        [ReportSource(str(answer), *values) for answer, *values in columns],
        [(str(answer), text) for answer, text in queries.values_list("answer_id", "text")],
        get_site_classifier(brands),
    )


def get_site_classifier(brands: Iterable[Brand]) -> SiteClassifier:
    """Return what tells the kinds of hosts for a diagnosis with these brands."""
    return SiteClassifier(
        [BrandSites(brand.name, brand.is_own, brand.sites, [brand.name, *brand.aliases]) for brand in brands],
        (get_demo_site_kinds() if settings.DEMO else {}) | dict(SiteClass.objects.values_list("host", "kind")),
    )


def _find_repeated(answers: Iterable[Answer]) -> set[uuid.UUID]:
    """Return the valid answers with the same text as an earlier one to the same question on the same platform."""
    seen: set[tuple[uuid.UUID, str, str]] = set()
    repeated = set()
    for answer in sorted(answers, key=lambda answer: answer.repeat):
        if answer.state != AnswerState.VALID:
            continue
        # Texts are not loaded where their digests are.
        key = (answer.question_id, answer.platform_id, vars(answer).get("text_digest") or answer.text)
        if key in seen:
            repeated.add(answer.pk)
        seen.add(key)
    return repeated


def _match_extraction(answer: Answer, spellings: Sequence[BrandSpellings]) -> dict[str, ExtractedBrand] | None:
    extracted = read_extraction(answer.extraction)
    return None if extracted is None else match_extracted_brands(extracted, spellings, answer.mentions)


def build_minimal_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a report with counts only, for a diagnosis whose analysis failed."""
    counts = {name: getattr(diagnosis, name) for name in ("planned", "valid", "failed", "filtered")}
    counts |= {"truncated": 0, "repeated": 0, "without_search": 0}
    lists: dict[str, Any] = {name: [] for name in ("brands", "platforms", "questions", "cells", "lost", "others")}
    lists |= {"surface": PlatformSurface.MEMORY, "surfaces": [], "sources": []}
    lists["verdict"] = build_unknown_verdict("not_analysed" if diagnosis.valid else "no_answers")
    unknown: dict[str, Any] = {"domains": None, "domains_by_platform": {}, "judged": None, "recognition": None}
    return {"version": REPORT_VERSION, **counts, "unbranded": counts, **lists, **unknown, "failures": []}


def get_current_report(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the stored report; rebuild one of an older version, or complete it if its answers are deleted."""
    stored: dict[str, Any] = diagnosis.report if isinstance(diagnosis.report, dict) else {}
    if stored.get("version") == REPORT_VERSION:
        return stored
    if diagnosis.answers.exists() or not stored:
        return build_report_from_database(diagnosis)
    return build_minimal_report(diagnosis) | stored
