"""The state machine of a diagnosis: every change of its state is here, each one transaction with its events.

The row is locked first, so counts are exact and a final state is written once. `run_number` fences: a worker that
was frozen and woken finds that another run has begun, keeps the answer it paid for, and stops.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from diagnosis import metrics
from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns, get_mentioned_brands
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.clock import get_database_time
from diagnosis.exceptions import ERROR_CODES_BY_REASON, RunSuperseded
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.reports.service import build_minimal_report, build_report_from_database
from diagnosis.running.calls import CallResult
from diagnosis.running.queue import filter_with_live_job
from errors.codes import ErrorCode
from errors.problems import build_problem
from errors.recording import record_error, record_problem
from progress.services import append_events, close_stream

log = structlog.get_logger(__name__)

COUNT_FIELDS = ["valid", "failed", "filtered"]

PERCENT_BEFORE_ANALYSIS = 95  # the rest is the analysis

PAUSE_DURATIONS = {
    FailureReason.QUOTA: timedelta(hours=1),
    FailureReason.KEY: timedelta(minutes=10),
    FailureReason.MODEL: timedelta(minutes=10),
}


@dataclass(frozen=True)
class PlannedCall:
    """A pending answer and all that is needed to ask for it."""

    answer_id: uuid.UUID
    question_id: uuid.UUID
    question: str
    platform: Platform
    repeat: int


@dataclass(frozen=True)
class Run:
    """One attempt of one worker at one diagnosis."""

    diagnosis_id: uuid.UUID
    number: int
    job_id: int | None
    request_id: str
    seconds_left: float
    brands: list[BrandSpellings]
    calls: list[PlannedCall]


def begin_run(diagnosis_id: uuid.UUID) -> Run | None:
    """Take a diagnosis up, for the first time or after a crash; None when it has ended or is gone."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().filter(pk=diagnosis_id).first()
        if diagnosis is None or diagnosis.is_final:
            return None
        diagnosis.run_number += 1
        now = get_database_time()
        if diagnosis.status == DiagnosisStatus.QUEUED:
            diagnosis.started_at = now
            diagnosis.deadline_at = now + timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS)
            diagnosis.status = DiagnosisStatus.ASKING
            append_events(diagnosis.stream_id, [("progress", build_progress_event(diagnosis))])
        diagnosis.save(update_fields=["run_number", "started_at", "deadline_at", "status"])
        assert diagnosis.deadline_at
        return Run(
            diagnosis.pk,
            diagnosis.run_number,
            diagnosis.job_id,
            diagnosis.request_id,
            (diagnosis.deadline_at - now).total_seconds(),
            build_brand_spellings(diagnosis.brands.all()),
            _build_pending_calls(diagnosis),
        )


def _build_pending_calls(diagnosis: Diagnosis) -> list[PlannedCall]:
    pending = diagnosis.answers.filter(state=AnswerState.PENDING).select_related("question", "platform")
    return [
        PlannedCall(answer.pk, answer.question_id, answer.question.text, answer.platform, answer.repeat)
        for answer in pending.order_by("repeat", "question__position", "platform__position")
    ]


def build_progress_event(diagnosis: Diagnosis) -> dict[str, Any]:
    """The `progress` event of a diagnosis as it stands."""
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
        "eta_s": _estimate_seconds_left(diagnosis),
    }


def _estimate_seconds_left(diagnosis: Diagnosis) -> int | None:
    """By the pace so far, never beyond the deadline; None before the first answer."""
    answered = diagnosis.settled_count - diagnosis.carried_over
    if diagnosis.started_at is None or diagnosis.deadline_at is None or answered <= 0:
        return None
    now = timezone.now()
    seconds_per_answer = (now - diagnosis.started_at).total_seconds() / answered
    until_deadline = max(0.0, (diagnosis.deadline_at - now).total_seconds())
    return round(min(seconds_per_answer * (diagnosis.planned - diagnosis.settled_count), until_deadline))


def find_pending_answers(run: Run, calls: Sequence[PlannedCall]) -> set[uuid.UUID]:
    """The answers, of those of the calls, that are still pending, if this is the run that asks for them.

    A run that was taken for dead may store what it had asked while its successor's calls wait for their turn. And from
    the moment its job was given up it asks nothing more, though its successor may not have begun.
    """
    current = filter_with_live_job(Diagnosis.objects.unfinished()).filter(run_number=run.number, job_id=run.job_id)
    pending = Answer.objects.filter(pk__in=[call.answer_id for call in calls], state=AnswerState.PENDING)
    return set(pending.filter(diagnosis__in=current).values_list("pk", flat=True))


def record_answers(run: Run, results: Sequence[tuple[PlannedCall, CallResult]]) -> None:
    """Store answers with the events that tell of them, in one transaction. Storing one again changes nothing.

    Raises RunSuperseded when the diagnosis has ended, and, after storing, when another run has taken over.
    """
    # Before the lock: looking for brands takes its time.
    updates = [(call, _build_answer_columns(run, call, result)) for call, result in results]
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        if diagnosis.is_final:
            raise RunSuperseded
        events = _record_pending(diagnosis, updates)
        if events:
            diagnosis.save(update_fields=COUNT_FIELDS)
            append_events(diagnosis.stream_id, events)
    if diagnosis.run_number != run.number:
        raise RunSuperseded


def _record_pending(
    diagnosis: Diagnosis, updates: list[tuple[PlannedCall, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """The events of those answers that are stored and counted just now: not of one that had been before."""
    pending = Answer.objects.filter(state=AnswerState.PENDING).in_bulk([call.answer_id for call, _ in updates])
    events: list[tuple[str, dict[str, Any]]] = []
    recorded = []
    for call, columns in updates:
        answer = pending.pop(call.answer_id, None)
        if answer is None:
            continue
        for name, value in columns.items():
            setattr(answer, name, value)
        recorded.append(answer)
        state = columns["state"].value
        setattr(diagnosis, state, getattr(diagnosis, state) + 1)
        events += [("result", _build_result_event(call, columns)), ("progress", build_progress_event(diagnosis))]
    # All of them are there: this only ever updates, and unlike `bulk_update` without a CASE for each value.
    names = {name for _, columns in updates for name in columns}
    Answer.objects.bulk_create(recorded, update_conflicts=True, unique_fields=["id"], update_fields=sorted(names))
    return events


def _build_answer_columns(run: Run, call: PlannedCall, result: CallResult) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "attempts": result.attempts,
        "milliseconds": result.milliseconds,
        "answered_at": timezone.now(),
    }
    if result.reply:
        reply_columns = {"state": AnswerState.VALID, "text": result.reply.text, "model": result.reply.model[:128]}
        return columns | reply_columns | compute_analysis_columns(result.reply.text, run.brands, call.question)
    assert result.failure
    is_filtered = result.failure.reason == FailureReason.FILTERED
    return columns | {
        "state": AnswerState.FILTERED if is_filtered else AnswerState.FAILED,
        "reason": result.failure.reason,
        "error_code": result.failure.code,
        "error_detail": result.failure.detail,
    }


def _build_result_event(call: PlannedCall, columns: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "answer": str(call.answer_id),
        "question": str(call.question_id),
        "platform": call.platform.pk,
        "repeat": call.repeat,
        "state": columns["state"].value,
        "ms": columns["milliseconds"],
    }
    if columns["state"] == AnswerState.VALID:
        return result | {"mentioned": get_mentioned_brands(columns["mentions"])}
    return result | {"code": columns["error_code"].value}


def pause_platform(run: Run, platform: Platform, reason: FailureReason) -> None:
    """Keep everyone from calling a platform that cannot answer, and tell the followers of this diagnosis once."""
    until = timezone.now() + PAUSE_DURATIONS[reason]
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        Platform.objects.filter(pk=platform.pk).update(paused_until=until, pause_reason=reason)
        if not diagnosis.is_final:
            problem_body = build_problem(
                ERROR_CODES_BY_REASON[reason],
                locale=diagnosis.locale,
                request_id=diagnosis.request_id,
                platform=platform.pk,
                params={"platform": platform.name},
            )
            append_events(diagnosis.stream_id, [("error", {**problem_body, "platform": platform.pk})])
            record_problem(
                problem_body,
                diagnosis_id=diagnosis.pk,
                platform=platform.pk,
                place="platform_paused",
                context={"reason": reason.value},
            )
    log.warning("platform_paused", platform=platform.pk, reason=reason.value, until=until.isoformat())


def begin_analysis(run: Run) -> None:
    """Move to `analysing`. Raises RunSuperseded if answers are pending, it has ended, or another run took over."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        is_current = not diagnosis.is_final and diagnosis.run_number == run.number
        if not is_current or diagnosis.answers.filter(state=AnswerState.PENDING).exists():
            raise RunSuperseded
        if diagnosis.status == DiagnosisStatus.ASKING:
            diagnosis.status = DiagnosisStatus.ANALYSING
            diagnosis.save(update_fields=["status"])
            append_events(diagnosis.stream_id, [("progress", build_progress_event(diagnosis))])


def end_diagnosis(
    diagnosis_id: uuid.UUID,
    status: DiagnosisStatus | None = None,
    *,
    run_number: int | None = None,
    code: ErrorCode | None = None,
) -> Diagnosis | None:
    """Write the final state, the report and the `complete` event; answers still pending are counted as failed.

    status: None decides by the answers. run_number: only when that run is still the current one.
    code: why it failed, when the state alone does not say. Returns None when it had ended before.
    """
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis_id)
        if diagnosis.is_final or run_number not in (None, diagnosis.run_number):
            return None
        _fail_pending(diagnosis, status)
        diagnosis.status = status or decide_final_status(diagnosis)
        error_code = ERROR_CODES_BY_STATUS.get(DiagnosisStatus(diagnosis.status)) if code is None else code
        diagnosis.error_code = "" if error_code is None else error_code.value
        diagnosis.report = _build_report(diagnosis, allow_minimal=status is not None)
        diagnosis.finished_at = timezone.now()
        diagnosis.save(update_fields=["status", "failed", "error_code", "report", "finished_at"])
        close_stream(diagnosis.stream_id, "complete", build_complete_event(diagnosis))
        # What the room above keeps about an end is of the same transaction.
        import_string(settings.DIAGNOSIS_ENDED)(diagnosis)
    metrics.diagnoses_ended.labels(status=diagnosis.status, demo=str(diagnosis.is_demo).lower()).inc()
    log.info("diagnosis_ended", diagnosis=str(diagnosis.pk), status=diagnosis.status, valid=diagnosis.valid)
    if error_code is not None:
        record_error(
            error_code,
            request_id=diagnosis.request_id,
            diagnosis_id=diagnosis.pk,
            place="diagnosis_ended",
            locale=diagnosis.locale,
            context={"status": diagnosis.status},
        )
    return diagnosis


ERROR_CODES_BY_STATUS = {
    DiagnosisStatus.PARTIAL: ErrorCode.DIAGNOSIS_PARTIAL_SUCCESS,
    DiagnosisStatus.FAILED: ErrorCode.DIAGNOSIS_FAILED,
    DiagnosisStatus.TIMED_OUT: ErrorCode.DIAGNOSIS_TIMEOUT,
    DiagnosisStatus.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
}


def decide_final_status(diagnosis: Diagnosis) -> DiagnosisStatus:
    """By the counts: none valid is failed, any failed is partial, else completed."""
    if diagnosis.valid == 0:
        return DiagnosisStatus.FAILED
    return DiagnosisStatus.PARTIAL if diagnosis.failed else DiagnosisStatus.COMPLETED


def _fail_pending(diagnosis: Diagnosis, status: DiagnosisStatus | None) -> None:
    reason = {
        DiagnosisStatus.TIMED_OUT: FailureReason.DEADLINE,
        DiagnosisStatus.CANCELLED: FailureReason.CANCELLED,
    }.get(status or DiagnosisStatus.FAILED, FailureReason.BUG)
    pending = diagnosis.answers.filter(state=AnswerState.PENDING)
    diagnosis.failed += pending.update(
        state=AnswerState.FAILED, reason=reason, error_code=ERROR_CODES_BY_REASON[reason]
    )


def _build_report(diagnosis: Diagnosis, *, allow_minimal: bool) -> dict[str, Any]:
    """The report; a bare one when it cannot be made and the end does not wait for it: a bug must not run for ever."""
    try:
        with transaction.atomic():
            return build_report_from_database(diagnosis)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if not allow_minimal:
            raise
        log.exception("report_failed", diagnosis=str(diagnosis.pk))
        return build_minimal_report(diagnosis)


def build_complete_event(diagnosis: Diagnosis) -> dict[str, Any]:
    """The `complete` event of a diagnosis that has ended."""
    data: dict[str, Any] = {
        "status": diagnosis.status,
        "valid": diagnosis.valid,
        "failed": diagnosis.failed,
        "filtered": diagnosis.filtered,
    }
    if diagnosis.error_code:
        data["problem"] = build_diagnosis_problem(diagnosis, diagnosis.locale)
    return data


def build_diagnosis_problem(diagnosis: Diagnosis, locale: str | None = None) -> dict[str, Any] | None:
    """Why it did not complete, in the common body; None when it did or still runs."""
    if not diagnosis.error_code:
        return None
    return build_problem(
        ErrorCode(diagnosis.error_code),
        locale=locale,
        request_id=diagnosis.request_id,
        instance=f"/api/diagnoses/{diagnosis.pk}",
        action_params={"diagnosis": str(diagnosis.pk)},
        params={"valid": diagnosis.valid, "planned": diagnosis.planned},
    )


def count_crash(diagnosis_id: uuid.UUID) -> int:
    """Count an exception of ours in a run; returns how many there have been."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis_id)
        diagnosis.crashes += 1
        diagnosis.save(update_fields=["crashes"])
        return diagnosis.crashes
