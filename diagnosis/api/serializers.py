"""Rows as the API shows them."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from diagnosis.models import Answer, Brand, Correction, Diagnosis, Platform
from diagnosis.platforms.openai_client import has_usable_key
from diagnosis.reports.service import get_current_report
from diagnosis.running.events import build_diagnosis_problem, build_progress_event
from errors.codes import ErrorCode
from errors.problems import build_displayed_message, build_problem, get_current_locale

AnswerTextReader = Callable[[Collection[str]], Mapping[str, str]]
"""Given the ids of answers, their texts by id, and perhaps more of them."""


def serialize_platform(platform: Platform) -> dict[str, Any]:
    """A row of the picker. Healthy: it has a key, is not paused, and has answered since its last pause."""
    return {
        "id": platform.pk,
        "name": platform.name,
        "model": platform.model,
        "healthy": not platform.is_paused and not platform.is_awaiting_probe and has_usable_key(platform),
        "paused_until": platform.paused_until if platform.is_paused else None,
        "pause_reason": platform.pause_reason if platform.is_paused or platform.is_awaiting_probe else "",
        "price_per_call": platform.price_per_call,
        "typical_seconds": platform.typical_seconds,
        "demo": platform.is_demo,
    }


def serialize_accepted(diagnosis: Diagnosis) -> dict[str, Any]:
    """The answer to an order."""
    stream = diagnosis.stream_id
    return {
        "id": diagnosis.pk,
        "status": diagnosis.status,
        "stream": stream,
        "planned": diagnosis.planned,
        "demo": diagnosis.is_demo,
        "events_url": f"/api/streams/{stream}/events",
        "socket_url": f"/ws/diagnosis/{stream}/",
        "retry_of": diagnosis.retry_of_id,
    }


def serialize_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as it stands."""
    return {
        "id": diagnosis.pk,
        "status": diagnosis.status,
        "stage": diagnosis.status,
        "percent": build_progress_event(diagnosis)["percent"],
        "planned": diagnosis.planned,
        "valid": diagnosis.valid,
        "failed": diagnosis.failed,
        "filtered": diagnosis.filtered,
        "carried_over": diagnosis.carried_over,
        "brand": diagnosis.brand,
        "repeats": diagnosis.repeats,
        "demo": diagnosis.is_demo,
        "stream": diagnosis.stream_id,
        "created_at": diagnosis.created_at,
        "started_at": diagnosis.started_at,
        "finished_at": diagnosis.finished_at,
        "retry_of": diagnosis.retry_of_id,
        "schedule": diagnosis.schedule_id,
        "error": build_diagnosis_problem(diagnosis),
    }


def serialize_diagnosis_detail(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same with its brands, questions and platforms."""
    return serialize_diagnosis(diagnosis) | {
        "brands": [serialize_brand(brand) for brand in diagnosis.brands.all()],
        "questions": [{"id": question.pk, "text": question.text} for question in diagnosis.questions.all()],
        "platforms": [_serialize_platform_ref(platform) for platform in get_diagnosis_platforms(diagnosis)],
    }


def serialize_brand(brand: Brand) -> dict[str, Any]:
    """A brand that is looked for."""
    return {"name": brand.name, "aliases": brand.aliases, "is_own": brand.is_own, "is_added": brand.is_added}


def get_diagnosis_platforms(diagnosis: Diagnosis) -> list[Platform]:
    """The platforms of a diagnosis, in the picker's order."""
    return list(Platform.objects.filter(pk__in=diagnosis.answers.values("platform_id")))


def _serialize_platform_ref(platform: Platform) -> dict[str, Any]:
    return {"id": platform.pk, "name": platform.name, "model": platform.model, "demo": platform.is_demo}


def serialize_answer(answer: Answer) -> dict[str, Any]:
    """An answer with its text and mentions; a failed one with its problem."""
    error = build_problem(ErrorCode(answer.error_code), platform=answer.platform_id) if answer.error_code else None
    return serialize_answer_record(answer) | {"error": error}


def serialize_answer_record(answer: Answer) -> dict[str, Any]:
    """What is stored of an answer, without words: the same in every language, and to be kept."""
    return {
        "id": answer.pk,
        "question": answer.question_id,
        "platform": answer.platform_id,
        "repeat": answer.repeat,
        "state": answer.state,
        "text": answer.text,
        "mentions": [_serialize_mention(*mention) for mention in answer.mentions],
        "others": answer.others,
        "domains": answer.domains,
        "model": answer.model,
        "ms": answer.milliseconds,
        "code": answer.error_code,
        "demo": answer.is_demo,
        "carried_over": answer.is_carried_over,
        "answered_at": answer.answered_at,
    }


def serialize_correction(correction: Correction) -> dict[str, Any]:
    """What the user has said of a hit, or the alias that they added."""
    fields = ("id", "kind", "brand", "start", "end", "alias", "created_at")
    return {name: getattr(correction, name) for name in fields} | {"answer": correction.answer_id}


def _serialize_mention(brand: str, start: int, end: int, state: str = "certain") -> dict[str, Any]:
    return {"brand": brand, "start": start, "end": end, "state": state}


_STORED_REPORT_KEYS = (
    *("version", "planned", "valid", "failed", "filtered", "unbranded", "brands", "cells", "judged"),
    *("lost", "recognition", "others", "domains", "domains_by_platform"),
)


def serialize_report(diagnosis: Diagnosis, read_texts: AnswerTextReader | None = None) -> dict[str, Any]:
    """The figures with names and words around them; docs/guide/report.md tells each figure.

    parse_text_list: gives the answers' texts to who has them at hand anyway; else those that are quoted are read.
    """
    report = get_current_report(diagnosis)
    platform_models = _query_platform_models(diagnosis)
    refs = {row["platform_id"]: _serialize_platform_model_row(row) for row in platform_models}
    brands = [*report["brands"], *(report["recognition"] or {}).get("brands", [])]
    _fill_quote_texts(brands, read_texts or partial(_fetch_answer_texts, diagnosis))
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
        "platforms": [refs[counts["id"]] | counts for counts in report["platforms"]],
        "questions": _serialize_questions(diagnosis, report["questions"]),
        "failures": [failure | _get_error_texts(failure["code"]) for failure in report["failures"]],
        "method": _serialize_method(diagnosis, platform_models),
    }


def _query_platform_models(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """Each platform with each model that answered, and when; in one query."""
    columns = ("platform_id", "platform__name", "platform__model", "platform__is_demo", "model")
    answers = diagnosis.answers.order_by("platform_id", "model").values(*columns)
    return list(answers.annotate(first=Min("answered_at"), last=Max("answered_at")))


def _serialize_platform_model_row(row: dict[str, Any]) -> dict[str, Any]:
    names = {"name": row["platform__name"], "model": row["platform__model"], "demo": row["platform__is_demo"]}
    return {"id": row["platform_id"]} | names


def _serialize_method(diagnosis: Diagnosis, platform_models: list[dict[str, Any]]) -> dict[str, Any]:
    """How it was measured. models: as the platforms themselves name what answered."""
    by_platform: dict[str, list[str]] = {}
    for row in platform_models:
        if row["model"]:
            by_platform.setdefault(row["platform_id"], []).append(row["model"])
    return {
        "source": "api",
        "interval": "Wilson 95 %",
        "share_interval": "bootstrap over questions, 95 %",
        "scope": {"these_questions": _("针对本问题集"), "population": _("针对同类问题")},
        "repeats": diagnosis.repeats,
        # What diagnosis/platforms/openai_client.py sends: one message, and nothing that would steer the model.
        "parameters": {"messages": "question only", "sampling": "platform defaults"},
        "models": sorted({model for models in by_platform.values() for model in models}),
        "models_by_platform": by_platform,
        "first_answer_at": min((one["first"] for one in platform_models if one["first"]), default=None),
        "last_answer_at": max((one["last"] for one in platform_models if one["last"]), default=None),
    }


def _fetch_answer_texts(diagnosis: Diagnosis, answer_ids: Collection[str]) -> dict[str, str]:
    return {str(pk): text for pk, text in diagnosis.answers.filter(pk__in=answer_ids).values_list("pk", "text")}


def _fill_quote_texts(brands: list[dict[str, Any]], read_texts: AnswerTextReader) -> None:
    """Quotes are stored as places: their words come from the answers, so that they cannot differ."""
    quotes = [quote for brand in brands for quote in (brand.get("sentiment") or {}).get("quotes", [])]
    texts = read_texts({quote["answer"] for quote in quotes}) if quotes else {}
    for quote in quotes:
        quote["text"] = texts.get(quote["answer"], "")[quote["start"] : quote["end"]]


def _serialize_questions(diagnosis: Diagnosis, counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_question = {one["id"]: one for one in counts}
    return [
        by_question.get(str(question.pk), {}) | {"id": question.pk, "text": question.text}
        for question in diagnosis.questions.all()
    ]


def _get_error_texts(code: str) -> dict[str, str]:
    texts = build_displayed_message(ErrorCode(code), get_current_locale())
    return {"title": texts["title"], "suggestion": texts["suggestion"]}
