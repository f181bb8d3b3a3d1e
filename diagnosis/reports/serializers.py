"""Reports and answers as the API and the exports return them."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from diagnosis.choices import PlatformSurface
from diagnosis.models import Answer, Diagnosis
from diagnosis.reports.formatting import SURFACE_LABELS
from diagnosis.reports.service import get_current_report
from diagnosis.reports.verdict import describe_verdict
from errors.codes import ErrorCode
from errors.problems import build_displayed_message, get_current_locale

AnswerTextReader = Callable[[Collection[str]], Mapping[str, str]]
"""Given ids of answers, returns their texts by id, and possibly more."""

_STORED_REPORT_KEYS = (
    *("version", "planned", "valid", "failed", "filtered", "truncated", "repeated", "without_search"),
    *("unbranded", "brands", "cells", "judged", "lost", "recognition", "others", "domains", "domains_by_platform"),
    *("surface", "surfaces", "sources"),
)


def serialize_answer_record(answer: Answer) -> dict[str, Any]:
    """Serialize what is stored of an answer, independent of the language."""
    return {
        "id": answer.pk,
        "question": answer.question_id,
        "platform": answer.platform_id,
        "repeat": answer.repeat,
        "state": answer.state,
        "truncated": answer.is_truncated,
        "without_search": answer.is_without_requested_search,
        "text": answer.text,
        "mentions": [
            {"brand": brand, "start": start, "end": end, "state": state[0] if state else "certain"}
            for brand, start, end, *state in answer.mentions
        ],
        "others": answer.others,
        "discovered": answer.discovered,
        "domains": answer.domains,
        "model": answer.model,
        "ms": answer.milliseconds,
        "code": answer.error_code,
        "demo": answer.is_demo,
        "carried_over": answer.is_carried_over,
        "answered_at": answer.answered_at,
    }


def serialize_search_record(answer: Answer) -> dict[str, Any]:
    """Serialize how an answer was asked for, and its search queries and sources, which the caller has prefetched."""
    columns = ("surface", "protocol", "requested_model", "params_hash", "search_happened", "search_count")
    names = ("position", "label", "url", "page", "host", "title", "site", "published", "origin", "cited", "spans")
    return {
        **{name: getattr(answer, name) for name in columns},
        "queries": [query.text for query in answer.search_queries.all()] if answer.tells_queries else None,
        "sources": [{name: getattr(source, name) for name in names} for source in answer.sources.all()],
    }


def serialize_report(diagnosis: Diagnosis, read_texts: AnswerTextReader | None = None) -> dict[str, Any]:
    """Serialize the report in the current language; docs/guide/report.md explains each figure.

    read_texts: supplies the texts of the quoted answers to a caller that has them; by default they are queried.
    """
    report = get_current_report(diagnosis)
    columns = ("platform_id", "platform__name", "platform__model", "platform__is_demo", "model", "surface")
    answers = diagnosis.answers.order_by("platform_id", "model").values(*columns)
    platform_models = list(answers.annotate(first=Min("answered_at"), last=Max("answered_at")))
    platforms = {
        row["platform_id"]: {
            "id": row["platform_id"],
            "name": row["platform__name"],
            "model": row["platform__model"],
            "demo": row["platform__is_demo"],
        }
        for row in platform_models
    }
    question_counts = {counts["id"]: counts for counts in report["questions"]}
    locale = get_current_locale()
    failures = []
    for failure in report["failures"]:
        name = platforms.get(failure["platform"], {}).get("name", "")
        code = ErrorCode(failure["code"])
        texts = build_displayed_message(code, locale, {"platform": name}, platform=failure["platform"])
        failures.append(failure | {"title": texts["title"], "suggestion": texts["suggestion"]})
    _fill_quote_texts(diagnosis, [*report["brands"], *(report["recognition"] or {}).get("brands", [])], read_texts)
    return {
        "diagnosis": {
            "id": diagnosis.pk,
            "brand": diagnosis.brand,
            "status": diagnosis.status,
            "created_at": diagnosis.created_at,
            "finished_at": diagnosis.finished_at,
        },
        "demo": diagnosis.is_demo,
        "ai_label": _("以下回答由 AI 生成，仅供参考"),
        **{name: report[name] for name in _STORED_REPORT_KEYS},
        "verdict": report["verdict"] | {"text": describe_verdict(report["verdict"])},
        "platforms": [platforms[counts["id"]] | counts for counts in report["platforms"]],
        "questions": [
            question_counts.get(str(question.pk), {}) | {"id": question.pk, "text": question.text}
            for question in diagnosis.questions.all()
        ],
        "failures": failures,
        "method": _serialize_method(diagnosis, platform_models),
    }


def _serialize_method(diagnosis: Diagnosis, platform_models: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe how the report was measured. models: as the platforms name them in their responses."""
    by_platform: dict[str, list[str]] = {}
    surfaces = {row["platform_id"]: row["surface"] for row in platform_models}
    for row in platform_models:
        if row["model"]:
            by_platform.setdefault(row["platform_id"], []).append(row["model"])
    return {
        "source": "api",
        "interval": "Wilson 95 %",
        "share_interval": "bootstrap over questions, 95 %",
        "scope": {"these_questions": _("针对本问题集"), "population": _("针对同类问题")},
        "repeats": diagnosis.repeats,
        # What diagnosis/platforms/protocols/chat.py sends: one message, without a system prompt or sampling options.
        "parameters": {"messages": "question only", "sampling": "platform defaults"},
        "models": sorted({model for models in by_platform.values() for model in models}),
        "models_by_platform": by_platform,
        "surfaces": surfaces,
        "surface_labels": {pk: str(SURFACE_LABELS[PlatformSurface(surface)]) for pk, surface in surfaces.items()},
        "first_answer_at": min((row["first"] for row in platform_models if row["first"]), default=None),
        "last_answer_at": max((row["last"] for row in platform_models if row["last"]), default=None),
    }


def _fill_quote_texts(diagnosis: Diagnosis, brands: list[dict[str, Any]], read_texts: AnswerTextReader | None) -> None:
    """Add the text of each quote. Quotes are stored as offsets into answers, so they cannot differ from them."""
    quotes = [
        quote
        for brand in brands
        for name in ("quotes", "praise", "blame")
        for quote in (brand.get("sentiment") or {}).get(name, [])
    ]
    if not quotes:
        return
    answer_ids = {quote["answer"] for quote in quotes}
    if read_texts:
        texts = read_texts(answer_ids)
    else:
        rows = diagnosis.answers.filter(pk__in=answer_ids).values_list("pk", "text")
        texts = {str(pk): text for pk, text in rows}
    for quote in quotes:
        quote["text"] = texts.get(quote["answer"], "")[quote["start"] : quote["end"]]
