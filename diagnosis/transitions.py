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
from diagnosis.asking import Outcome
from diagnosis.choices import AnswerState, Reason, Status
from diagnosis.clock import database_now
from diagnosis.exceptions import CODES, RunOver
from diagnosis.jobs import with_live_job
from diagnosis.mentions import BrandNames
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.reporting import analysis_columns, bare_report, brand_names, make_report
from diagnosis.reporting import mentioned_brands as mentioned_brands
from errors.codes import ErrorCode
from errors.problems import problem
from errors.recording import record, record_problem
from progress.services import append_events, close_stream

log = structlog.get_logger(__name__)

COUNTS = ["valid", "failed", "filtered"]

PERCENT_WHEN_ASKED = 95  # the rest is the analysis

PAUSES = {
    Reason.QUOTA: timedelta(hours=1),
    Reason.KEY: timedelta(minutes=10),
    Reason.MODEL: timedelta(minutes=10),
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
    brands: list[BrandNames]
    calls: list[PlannedCall]


def begin_run(diagnosis_id: uuid.UUID) -> Run | None:
    """Take a diagnosis up, for the first time or after a crash; None when it has ended or is gone."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().filter(pk=diagnosis_id).first()
        if diagnosis is None or diagnosis.is_final:
            return None
        diagnosis.run_number += 1
        now = database_now()
        if diagnosis.status == Status.QUEUED:
            diagnosis.started_at = now
            diagnosis.deadline_at = now + timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS)
            diagnosis.status = Status.ASKING
            append_events(diagnosis.stream_id, [("progress", progress_of(diagnosis))])
        diagnosis.save(update_fields=["run_number", "started_at", "deadline_at", "status"])
        assert diagnosis.deadline_at
        return Run(
            diagnosis.pk,
            diagnosis.run_number,
            diagnosis.job_id,
            diagnosis.request_id,
            (diagnosis.deadline_at - now).total_seconds(),
            brand_names(diagnosis.brands.all()),
            _pending_calls(diagnosis),
        )


def _pending_calls(diagnosis: Diagnosis) -> list[PlannedCall]:
    pending = diagnosis.answers.filter(state=AnswerState.PENDING).select_related("question", "platform")
    return [
        PlannedCall(answer.pk, answer.question_id, answer.question.text, answer.platform, answer.repeat)
        for answer in pending.order_by("repeat", "question__position", "platform__position")
    ]


def progress_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """The `progress` event of a diagnosis as it stands."""
    settled, planned = diagnosis.settled, diagnosis.planned
    if diagnosis.status == Status.QUEUED:
        percent = 0
    elif diagnosis.status == Status.ASKING:
        percent = PERCENT_WHEN_ASKED * settled // planned
    else:
        percent = PERCENT_WHEN_ASKED if not diagnosis.is_final else 100
    return {
        "stage": diagnosis.status,
        "percent": percent,
        "done": settled,
        "planned": planned,
        "eta_s": _seconds_left(diagnosis),
    }


def _seconds_left(diagnosis: Diagnosis) -> int | None:
    """By the pace so far, never beyond the deadline; None before the first answer."""
    asked = diagnosis.settled - diagnosis.carried_over
    if diagnosis.started_at is None or diagnosis.deadline_at is None or asked <= 0:
        return None
    now = timezone.now()
    pace = (now - diagnosis.started_at).total_seconds() / asked
    until_deadline = max(0.0, (diagnosis.deadline_at - now).total_seconds())
    return round(min(pace * (diagnosis.planned - diagnosis.settled), until_deadline))


def wanted(run: Run, calls: Sequence[PlannedCall]) -> set[uuid.UUID]:
    """The answers, of those of the calls, that are still pending, if this is the run that asks for them.

    A run that was taken for dead may store what it had asked while its successor's calls wait for their turn. And from
    the moment its job was given up it asks nothing more, though its successor may not have begun.
    """
    held = with_live_job(Diagnosis.objects.unfinished()).filter(run_number=run.number, job_id=run.job_id)
    pending = Answer.objects.filter(pk__in=[call.answer_id for call in calls], state=AnswerState.PENDING)
    return set(pending.filter(diagnosis__in=held).values_list("pk", flat=True))


def settle_answers(run: Run, settled: Sequence[tuple[PlannedCall, Outcome]]) -> None:
    """Store answers with the events that tell of them, in one transaction. Storing one again changes nothing.

    Raises RunOver when the diagnosis has ended, and, after storing, when another run has taken over.
    """
    # Before the lock: looking for brands takes its time.
    found = [(call, _columns_of(run, call, outcome)) for call, outcome in settled]
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        if diagnosis.is_final:
            raise RunOver
        events = _settle_pending(diagnosis, found)
        if events:
            diagnosis.save(update_fields=COUNTS)
            append_events(diagnosis.stream_id, events)
    if diagnosis.run_number != run.number:
        raise RunOver


def _settle_pending(
    diagnosis: Diagnosis, found: list[tuple[PlannedCall, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """The events of those answers that are stored and counted just now: not of one that had been before."""
    pending = Answer.objects.filter(state=AnswerState.PENDING).in_bulk([call.answer_id for call, _ in found])
    events: list[tuple[str, dict[str, Any]]] = []
    settled = []
    for call, columns in found:
        answer = pending.pop(call.answer_id, None)
        if answer is None:
            continue
        for name, value in columns.items():
            setattr(answer, name, value)
        settled.append(answer)
        state = columns["state"].value
        setattr(diagnosis, state, getattr(diagnosis, state) + 1)
        events += [("result", _result_of(call, columns)), ("progress", progress_of(diagnosis))]
    # All of them are there: this only ever updates, and unlike `bulk_update` without a CASE for each value.
    names = {name for _, columns in found for name in columns}
    Answer.objects.bulk_create(settled, update_conflicts=True, unique_fields=["id"], update_fields=sorted(names))
    return events


def _columns_of(run: Run, call: PlannedCall, outcome: Outcome) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "attempts": outcome.attempts,
        "milliseconds": outcome.milliseconds,
        "answered_at": timezone.now(),
    }
    if outcome.reply:
        said = {"state": AnswerState.VALID, "text": outcome.reply.text, "model": outcome.reply.model[:128]}
        return columns | said | analysis_columns(outcome.reply.text, run.brands, call.question)
    assert outcome.failure
    is_filtered = outcome.failure.reason == Reason.FILTERED
    return columns | {
        "state": AnswerState.FILTERED if is_filtered else AnswerState.FAILED,
        "reason": outcome.failure.reason,
        "error_code": outcome.failure.code,
        "error_detail": outcome.failure.detail,
    }


def _result_of(call: PlannedCall, columns: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "answer": str(call.answer_id),
        "question": str(call.question_id),
        "platform": call.platform.pk,
        "repeat": call.repeat,
        "state": columns["state"].value,
        "ms": columns["milliseconds"],
    }
    if columns["state"] == AnswerState.VALID:
        return result | {"mentioned": mentioned_brands(columns["mentions"])}
    return result | {"code": columns["error_code"].value}


def pause_platform(run: Run, platform: Platform, reason: Reason) -> None:
    """Keep everyone from calling a platform that cannot answer, and tell the followers of this diagnosis once."""
    until = timezone.now() + PAUSES[reason]
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        Platform.objects.filter(pk=platform.pk).update(paused_until=until, pause_reason=reason)
        if not diagnosis.is_final:
            body = problem(
                CODES[reason],
                locale=diagnosis.locale,
                request_id=diagnosis.request_id,
                platform=platform.pk,
                params={"platform": platform.name},
            )
            append_events(diagnosis.stream_id, [("error", {**body, "platform": platform.pk})])
            record_problem(
                body,
                diagnosis_id=diagnosis.pk,
                platform=platform.pk,
                place="platform_paused",
                context={"reason": reason.value},
            )
    log.warning("platform_paused", platform=platform.pk, reason=reason.value, until=until.isoformat())


def begin_analysis(run: Run) -> None:
    """All is asked: say so. Raises RunOver when it is not, when the diagnosis has ended, or another run took over."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        is_current = not diagnosis.is_final and diagnosis.run_number == run.number
        if not is_current or diagnosis.answers.filter(state=AnswerState.PENDING).exists():
            raise RunOver
        if diagnosis.status == Status.ASKING:
            diagnosis.status = Status.ANALYSING
            diagnosis.save(update_fields=["status"])
            append_events(diagnosis.stream_id, [("progress", progress_of(diagnosis))])


def end_diagnosis(
    diagnosis_id: uuid.UUID,
    status: Status | None = None,
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
        diagnosis.status = status or decide_status(diagnosis)
        end_code = END_CODES.get(Status(diagnosis.status)) if code is None else code
        diagnosis.error_code = "" if end_code is None else end_code.value
        diagnosis.report = _report_of(diagnosis, may_be_bare=status is not None)
        diagnosis.finished_at = timezone.now()
        diagnosis.save(update_fields=["status", "failed", "error_code", "report", "finished_at"])
        close_stream(diagnosis.stream_id, "complete", complete_of(diagnosis))
        # What the room above keeps about an end is of the same transaction.
        import_string(settings.DIAGNOSIS_ENDED)(diagnosis)
    metrics.diagnoses_ended.labels(status=diagnosis.status, demo=str(diagnosis.is_demo).lower()).inc()
    log.info("diagnosis_ended", diagnosis=str(diagnosis.pk), status=diagnosis.status, valid=diagnosis.valid)
    if end_code is not None:
        record(
            end_code,
            request_id=diagnosis.request_id,
            diagnosis_id=diagnosis.pk,
            place="diagnosis_ended",
            locale=diagnosis.locale,
            context={"status": diagnosis.status},
        )
    return diagnosis


END_CODES = {
    Status.PARTIAL: ErrorCode.DIAGNOSIS_PARTIAL_SUCCESS,
    Status.FAILED: ErrorCode.DIAGNOSIS_FAILED,
    Status.TIMED_OUT: ErrorCode.DIAGNOSIS_TIMEOUT,
    Status.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
}


def decide_status(diagnosis: Diagnosis) -> Status:
    """By the counts: none valid is failed, any failed is partial, else completed."""
    if diagnosis.valid == 0:
        return Status.FAILED
    return Status.PARTIAL if diagnosis.failed else Status.COMPLETED


def _fail_pending(diagnosis: Diagnosis, status: Status | None) -> None:
    reason = {Status.TIMED_OUT: Reason.DEADLINE, Status.CANCELLED: Reason.CANCELLED}.get(
        status or Status.FAILED, Reason.BUG
    )
    pending = diagnosis.answers.filter(state=AnswerState.PENDING)
    diagnosis.failed += pending.update(state=AnswerState.FAILED, reason=reason, error_code=CODES[reason])


def _report_of(diagnosis: Diagnosis, *, may_be_bare: bool) -> dict[str, Any]:
    """The report; a bare one when it cannot be made and the end does not wait for it: a bug must not run for ever."""
    try:
        with transaction.atomic():
            return make_report(diagnosis)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if not may_be_bare:
            raise
        log.exception("report_failed", diagnosis=str(diagnosis.pk))
        return bare_report(diagnosis)


def complete_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """The `complete` event of a diagnosis that has ended."""
    data: dict[str, Any] = {
        "status": diagnosis.status,
        "valid": diagnosis.valid,
        "failed": diagnosis.failed,
        "filtered": diagnosis.filtered,
    }
    if diagnosis.error_code:
        data["problem"] = problem_of_diagnosis(diagnosis, diagnosis.locale)
    return data


def problem_of_diagnosis(diagnosis: Diagnosis, locale: str | None = None) -> dict[str, Any] | None:
    """Why it did not complete, in the common body; None when it did or still runs."""
    if not diagnosis.error_code:
        return None
    return problem(
        ErrorCode(diagnosis.error_code),
        locale=locale,
        request_id=diagnosis.request_id,
        instance=f"/api/diagnoses/{diagnosis.pk}",
        action_params={"diagnosis": str(diagnosis.pk)},
        params={"valid": diagnosis.valid, "planned": diagnosis.planned},
    )


def record_crash(diagnosis_id: uuid.UUID) -> int:
    """Count an exception of ours in a run; returns how many there have been."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis_id)
        diagnosis.crashes += 1
        diagnosis.save(update_fields=["crashes"])
        return diagnosis.crashes
