"""Rows as the HTTP API returns them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.analysis.columns import get_mentioned_brands, get_uncertain_brands
from diagnosis.choices import AnswerState, ClientKind, DiagnosisStatus
from diagnosis.clients import get_client_kind
from diagnosis.models import Answer, Brand, Correction, Diagnosis, Platform
from diagnosis.platforms.availability import describe_obstacle, get_pause_end
from diagnosis.platforms.durations import TimeLeft, get_seconds_per_call
from diagnosis.platforms.endpoint import has_usable_key
from diagnosis.platforms.limits import get_owner_limits
from diagnosis.reports.serializers import serialize_answer_record
from diagnosis.running.events import build_diagnosis_problem, build_progress_event
from diagnosis.running.state_machine import count_pending_by_platform
from diagnosis.spending.overview import get_diagnosis_costs
from errors.codes import ErrorCode
from errors.problems import build_problem

ANSWER_SUMMARY_COLUMNS = (
    *("question", "platform", "repeat", "state", "surface", "search_happened", "mentions", "milliseconds"),
    *("is_truncated", "is_carried_over", "error_code"),
)


def serialize_platforms(platforms: Sequence[Platform], costs: Mapping[str, Decimal | None]) -> list[dict[str, Any]]:
    """Serialize platforms with the latest duration of their calls. costs: expected cost of an answer by id."""
    seconds = get_seconds_per_call(platforms)
    return [
        serialize_platform(platform, costs[platform.pk]) | {"seconds_per_call": seconds[platform.pk]}
        for platform in platforms
    ]


def serialize_platform(platform: Platform, cost_per_answer: Decimal | None = None) -> dict[str, Any]:
    """Serialize a platform. healthy: it has a key, is not paused, and has responded since its last pause."""
    is_unhealthy = platform.is_paused or platform.is_awaiting_probe
    limits = get_owner_limits(platform)
    return {
        "id": platform.pk,
        "name": platform.name,
        "model": platform.model,
        "filing_number": platform.filing_number,
        "healthy": not is_unhealthy and has_usable_key(platform),
        "paused_until": get_pause_end(platform),
        "pause_reason": platform.pause_reason if is_unhealthy else "",
        "price_per_call": platform.price_per_call,
        "cost_per_answer": cost_per_answer,
        "typical_seconds": platform.typical_seconds,
        "concurrency": limits.max_concurrent,
        "requests_per_minute": limits.max_per_minute,
        "demo": platform.is_demo,
    }


def serialize_accepted(diagnosis: Diagnosis) -> dict[str, Any]:
    """Serialize the response to a requested diagnosis."""
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
    """Serialize a diagnosis in its current state."""
    return serialize_diagnoses([diagnosis])[0]


def serialize_diagnoses(diagnoses: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """Serialize diagnoses in their current state."""
    costs = get_diagnosis_costs(diagnosis.pk for diagnosis in diagnoses)
    return [_serialize_diagnosis(diagnosis, costs.get(diagnosis.pk)) for diagnosis in diagnoses]


def _serialize_diagnosis(diagnosis: Diagnosis, cost: Decimal | None) -> dict[str, Any]:
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
        "revision": diagnosis.revision,
        "report_pending": diagnosis.revision > diagnosis.report_revision,
        "stream": diagnosis.stream_id,
        "created_at": diagnosis.created_at,
        "started_at": diagnosis.started_at,
        "finished_at": diagnosis.finished_at,
        "retry_of": diagnosis.retry_of_id,
        "schedule": diagnosis.schedule_id,
        "workspace": diagnosis.workspace_id,
        "estimated_cost": diagnosis.estimated_cost,
        "cost": cost,
        "error": build_diagnosis_problem(diagnosis),
    }


def serialize_diagnosis_detail(diagnosis: Diagnosis) -> dict[str, Any]:
    """Serialize a diagnosis with its brands, questions and platforms."""
    platforms, client = diagnosis.get_platforms(), get_client_kind(diagnosis.owner)
    return serialize_diagnosis(diagnosis) | {
        "eta_s": _estimate_seconds_left(diagnosis, platforms),
        "retry_blocked": _describe_blocked_retry(diagnosis, platforms, client),
        "brands": [serialize_brand(brand) for brand in diagnosis.brands.all()],
        "questions": [{"id": question.pk, "text": question.text} for question in diagnosis.questions.all()],
        "platforms": [
            {"id": platform.pk, "name": platform.name, "model": platform.model, "demo": platform.is_demo}
            | {"filing_number": platform.filing_number}
            | {"obstacle": describe_obstacle(platform, client), "paused_until": get_pause_end(platform)}
            for platform in platforms
        ],
    }


def _describe_blocked_retry(diagnosis: Diagnosis, platforms: Sequence[Platform], client: ClientKind) -> str:
    """Return why the failed answers cannot be asked for again now, localized; empty if they can, or none failed."""
    if not diagnosis.is_final or not diagnosis.failed:
        return ""
    failed = diagnosis.answers.filter(state=AnswerState.FAILED).order_by()
    failed_ids = set(failed.values_list("platform_id", flat=True).distinct())
    failed_platforms = [platform for platform in platforms if platform.pk in failed_ids]
    reasons = {platform.name: describe_obstacle(platform, client) for platform in failed_platforms}
    if not all(reasons.values()):
        return ""
    text = "；".join(f"{name}：{reason}" for name, reason in reasons.items())
    return _("失败的平台现在都不能询问（%(reasons)s），请换平台，或等恢复后再补问。") % {"reasons": text}


def _estimate_seconds_left(diagnosis: Diagnosis, platforms: Sequence[Platform]) -> int | None:
    """Estimate as the events of the run do; None while unknown, and when no call is being made."""
    if diagnosis.status != DiagnosisStatus.ASKING or diagnosis.deadline_at is None:
        return None
    seconds_to_deadline = (diagnosis.deadline_at - timezone.now()).total_seconds()
    return TimeLeft(platforms).estimate(count_pending_by_platform(diagnosis), seconds_to_deadline)


def serialize_brand(brand: Brand) -> dict[str, Any]:
    """Serialize a brand of a diagnosis."""
    return {
        "name": brand.name,
        "aliases": brand.aliases,
        "sites": brand.sites,
        "is_own": brand.is_own,
        "is_added": brand.is_added,
    }


def serialize_answer(answer: Answer) -> dict[str, Any]:
    """Serialize an answer with its text and mentions; a failed one with its problem."""
    return serialize_answer_record(answer) | {"error": _build_answer_problem(answer)}


def serialize_answer_summary(answer: Answer) -> dict[str, Any]:
    """Serialize an answer of which ANSWER_SUMMARY_COLUMNS are loaded."""
    return {
        "id": answer.pk,
        "question": answer.question_id,
        "platform": answer.platform_id,
        "repeat": answer.repeat,
        "state": answer.state,
        "truncated": answer.is_truncated,
        "without_search": answer.is_without_requested_search,
        "carried_over": answer.is_carried_over,
        "ms": answer.milliseconds,
        "mentioned": get_mentioned_brands(answer.mentions),
        "uncertain": get_uncertain_brands(answer.mentions),
        "error": _build_answer_problem(answer),
    }


def _build_answer_problem(answer: Answer) -> dict[str, Any] | None:
    return build_problem(ErrorCode(answer.error_code), platform=answer.platform_id) if answer.error_code else None


def serialize_correction(correction: Correction) -> dict[str, Any]:
    """Serialize a confirmed or rejected mention, or an added alias."""
    fields = ("kind", "brand", "start", "end", "alias", "created_at")
    ids = {"id": correction.public_id, "answer": correction.answer_id}
    return ids | {name: getattr(correction, name) for name in fields}
