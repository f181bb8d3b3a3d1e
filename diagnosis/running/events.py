"""The data of a diagnosis's events (progress/events.py), and the problem body of its final status."""

from typing import Any, cast

from diagnosis.analysis.columns import get_mentioned_brands
from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.exceptions import ERROR_CODES_BY_REASON
from diagnosis.models import Answer, Diagnosis, Platform
from errors.codes import ErrorCode
from errors.problems import build_problem
from progress.events import CompleteData, ErrorData, ProgressData, ResultData

PERCENT_BEFORE_ANALYSIS = 95  # the rest is the analysis


def build_progress_event(diagnosis: Diagnosis, seconds_left: int | None = None) -> ProgressData:
    """Return the `progress` event of a diagnosis in its current state. seconds_left: None while unknown."""
    settled, planned = diagnosis.settled_count, diagnosis.planned
    if diagnosis.status == DiagnosisStatus.QUEUED:
        percent = 0
    elif diagnosis.status == DiagnosisStatus.ASKING:
        percent = PERCENT_BEFORE_ANALYSIS * settled // planned
    else:
        percent = PERCENT_BEFORE_ANALYSIS if not diagnosis.is_final else 100
    return {
        "stage": diagnosis.status,
        "percent": percent,
        "done": settled,
        "planned": planned,
        "eta_s": seconds_left,
    }


def build_result_event(answer: Answer) -> ResultData:
    """Return the `result` event of an answer that is no longer pending."""
    data: ResultData = {
        "answer": str(answer.pk),
        "question": str(answer.question_id),
        "platform": answer.platform_id,
        "repeat": answer.repeat,
        "state": answer.state,
        "ms": answer.milliseconds or 0,
    }
    if answer.state == AnswerState.VALID:
        data["mentioned"] = get_mentioned_brands(answer.mentions)
    else:
        data["code"] = answer.error_code
    return data


def build_pause_event(diagnosis: Diagnosis, platform: Platform, reason: FailureReason) -> ErrorData:
    """Return the `error` event of a platform that was paused."""
    problem = build_problem(
        ERROR_CODES_BY_REASON[reason],
        locale=diagnosis.locale,
        request_id=diagnosis.request_id,
        platform=platform.pk,
        params={"platform": platform.name},
    )
    return cast(ErrorData, {**problem, "platform": platform.pk})


def build_complete_event(diagnosis: Diagnosis) -> CompleteData:
    """Return the `complete` event of a diagnosis in a final status."""
    data: CompleteData = {
        "status": diagnosis.status,
        "valid": diagnosis.valid,
        "failed": diagnosis.failed,
        "filtered": diagnosis.filtered,
    }
    problem = build_diagnosis_problem(diagnosis, diagnosis.locale)
    if problem:
        data["problem"] = problem
    return data


def build_diagnosis_problem(diagnosis: Diagnosis, locale: str | None = None) -> dict[str, Any] | None:
    """Return the problem body that explains the final status; None if it completed or is not final."""
    if not diagnosis.error_code:
        return None
    problem = build_problem(
        ErrorCode(diagnosis.error_code),
        locale=locale,
        request_id=diagnosis.request_id,
        instance=f"/api/diagnoses/{diagnosis.pk}",
        action_params={"diagnosis": str(diagnosis.pk)},
        params={"valid": diagnosis.valid, "planned": diagnosis.planned},
    )
    action = problem["copy"]["action"]
    if action["kind"] == "open_report" and not diagnosis.valid:  # there is no answer to open
        problem["copy"]["action"] = {"kind": "switch_platform", "params": action["params"]}
    return problem
