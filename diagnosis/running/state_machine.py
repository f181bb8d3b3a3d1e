"""The state machine of a diagnosis. Every change of a running diagnosis's status is here, with its events.

The row is locked first, so that counts are exact and a final status is written once. `run_number` is a fencing token:
a worker that was suspended and resumes finds that another run has begun, stores the answer it paid for, and stops.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.module_loading import import_string

from diagnosis import metrics
from diagnosis.analysis.columns import build_brand_spellings, compute_analysis_columns
from diagnosis.analysis.mentions import BrandSpellings
from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.clock import get_database_time
from diagnosis.exceptions import ERROR_CODES_BY_REASON, RunSuperseded
from diagnosis.models import Answer, Diagnosis, DiagnosisQuerySet, PartialReply, Platform
from diagnosis.platforms.durations import TimeLeft
from diagnosis.platforms.errors import PAUSE_DURATIONS
from diagnosis.reports.service import build_minimal_report, build_report_from_database
from diagnosis.running.dispatch import enqueue_next
from diagnosis.running.events import (
    build_complete_event,
    build_pause_event,
    build_progress_event,
    build_result_event,
)
from diagnosis.running.partial_replies import load_partial_replies
from diagnosis.running.queue import filter_with_live_job
from diagnosis.running.reply_records import build_reply_columns, create_reply_rows
from diagnosis.running.results import CallResult
from diagnosis.spending.overview import count_attempts
from errors.codes import ErrorCode
from errors.recording import record_error, record_problem
from progress.events import DiagnosisEvent
from progress.services import append_events, close_stream

log = structlog.get_logger(__name__)

ERROR_CODES_BY_STATUS = {
    DiagnosisStatus.PARTIAL: ErrorCode.DIAGNOSIS_PARTIAL_SUCCESS,
    DiagnosisStatus.FAILED: ErrorCode.DIAGNOSIS_FAILED,
    DiagnosisStatus.TIMED_OUT: ErrorCode.DIAGNOSIS_TIMEOUT,
    DiagnosisStatus.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
}
REASONS_FOR_SKIPPED_CALLS = {
    DiagnosisStatus.TIMED_OUT: FailureReason.DEADLINE,
    DiagnosisStatus.CANCELLED: FailureReason.CANCELLED,
}


@dataclass(frozen=True)
class PlannedCall:
    """A pending answer with what is needed to make its call. partial_reply: the steps that an earlier run paid for."""

    answer_id: uuid.UUID
    question: str
    platform: Platform
    repeat: int
    partial_reply: bytes | None = None


@dataclass(frozen=True)
class Run:
    """One attempt of one worker to run a diagnosis. calls: the answers that were pending when it began.

    time_left: of the calls, learned from the answers as they are stored.
    """

    diagnosis_id: uuid.UUID
    number: int
    job_id: int | None
    request_id: str
    seconds_left: float
    owner_id: int | None
    schedule_id: uuid.UUID | None
    workspace_id: uuid.UUID | None
    brands: list[BrandSpellings]
    calls: list[PlannedCall]
    deadline_at: datetime
    time_left: TimeLeft


def begin_run(diagnosis_id: uuid.UUID) -> Run | None:
    """Begin a run, the first one or another after a crash; None if the diagnosis has ended or does not exist."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().filter(pk=diagnosis_id).first()
        if diagnosis is None or diagnosis.is_final:
            return None
        diagnosis.run_number += 1
        now = get_database_time()
        pending = diagnosis.answers.filter(state=AnswerState.PENDING).select_related("question", "platform")
        partial_replies = load_partial_replies(pending)
        calls = [
            PlannedCall(answer.pk, answer.question.text, answer.platform, answer.repeat, partial_replies.get(answer.pk))
            for answer in pending.order_by("repeat", "question__position", "platform__position")
        ]
        time_left = TimeLeft({call.platform.pk: call.platform for call in calls}.values())
        if diagnosis.status == DiagnosisStatus.QUEUED:
            diagnosis.started_at = now
            diagnosis.deadline_at = now + timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS)
            diagnosis.status = DiagnosisStatus.ASKING
            seconds = time_left.estimate(
                Counter(call.platform.pk for call in calls), settings.DIAGNOSIS_TIMEOUT_SECONDS
            )
            append_events(diagnosis.stream_id, [("progress", build_progress_event(diagnosis, seconds))])
        diagnosis.save(update_fields=["run_number", "started_at", "deadline_at", "status"])
        assert diagnosis.deadline_at
        return Run(
            diagnosis.pk,
            diagnosis.run_number,
            diagnosis.job_id,
            diagnosis.request_id,
            (diagnosis.deadline_at - now).total_seconds(),
            diagnosis.owner_id,
            diagnosis.schedule_id,
            diagnosis.workspace_id,
            build_brand_spellings(diagnosis.brands.all()),
            calls,
            diagnosis.deadline_at,
            time_left,
        )


def count_pending_by_platform(diagnosis: Diagnosis) -> dict[str, int]:
    """Return {platform id: number of its pending answers}."""
    pending = diagnosis.answers.filter(state=AnswerState.PENDING).order_by()
    return dict(pending.values_list("platform_id").annotate(count=Count("pk")))


def find_wanted_answers(run: Run, answer_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of the answers are still pending; none if the run is not the current one.

    A run that was presumed dead may still store answers while its successor's calls wait for a slot. Conversely, once
    its job is marked as failed it makes no more calls, even if its successor has not begun.
    """
    pending = Answer.objects.filter(pk__in=answer_ids, state=AnswerState.PENDING)
    return set(pending.filter(diagnosis__in=_filter_current(run)).values_list("pk", flat=True))


def is_current(run: Run) -> bool:
    """Whether the diagnosis is still this run's, and neither ended nor cancelled."""
    return _filter_current(run).exists()


def _filter_current(run: Run) -> DiagnosisQuerySet:
    unfinished = Diagnosis.objects.unfinished().filter(pk=run.diagnosis_id)
    return filter_with_live_job(unfinished).filter(run_number=run.number, job_id=run.job_id)


def record_answers(run: Run, results: Sequence[tuple[PlannedCall, CallResult]]) -> None:
    """Store answers with their events in one transaction. Storing an answer again changes nothing.

    Raises RunSuperseded if the diagnosis has ended or, after storing, if another run has taken over.
    """
    # Matching brands takes time, so it is done before the lock.
    columns_by_answer = {call.answer_id: _build_answer_columns(run, call, result) for call, result in results}
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        if diagnosis.is_final:
            raise RunSuperseded
        pending = Answer.objects.filter(state=AnswerState.PENDING).in_bulk(list(columns_by_answer))
        answers = [pending[pk] for pk in columns_by_answer if pk in pending]
        pending_by_platform = count_pending_by_platform(diagnosis)
        seconds_to_deadline = (run.deadline_at - timezone.now()).total_seconds()
        # An earlier run, of a killed worker, may have made calls too.
        attempts = count_attempts(columns_by_answer) if run.number > 1 else {}
        events: list[DiagnosisEvent] = []
        for answer in answers:
            for name, value in columns_by_answer[answer.pk].items():
                setattr(answer, name, value)
            answer.attempts = max(answer.attempts, attempts.get(answer.pk, 0))
            setattr(diagnosis, answer.state, getattr(diagnosis, answer.state) + 1)
            pending_by_platform[answer.platform_id] -= 1
            run.time_left.observe(answer.platform_id, answer.milliseconds or 0)
            seconds = run.time_left.estimate(pending_by_platform, seconds_to_deadline)
            events += [("result", build_result_event(answer)), ("progress", build_progress_event(diagnosis, seconds))]
        if answers:
            # Every row exists, so this only updates; unlike `bulk_update`, without a CASE for each value.
            names = sorted({name for columns in columns_by_answer.values() for name in columns})
            Answer.objects.bulk_create(answers, update_conflicts=True, unique_fields=["id"], update_fields=names)
            replies = {call.answer_id: result.reply for call, result in results if result.reply}
            create_reply_rows((answer, replies[answer.pk]) for answer in answers if answer.pk in replies)
            PartialReply.objects.filter(answer__in=answers).delete()
            diagnosis.save(update_fields=["valid", "failed", "filtered"])
            append_events(diagnosis.stream_id, events)
    for answer in answers:
        demo = metrics.get_demo_label_value(is_demo=answer.is_demo)
        outcome = answer.reason or answer.state
        metrics.answers_ended.labels(platform=answer.platform_id, outcome=outcome, demo=demo).inc()
    if diagnosis.run_number != run.number:
        raise RunSuperseded


def _build_answer_columns(run: Run, call: PlannedCall, result: CallResult) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "attempts": result.attempts,
        "milliseconds": result.milliseconds,
        "answered_at": timezone.now(),
    }
    if result.reply:
        reply_columns = build_reply_columns(result.reply) | {"state": AnswerState.VALID.value}
        return columns | reply_columns | compute_analysis_columns(result.reply.text, run.brands, call.question)
    assert result.failure
    is_filtered = result.failure.reason == FailureReason.FILTERED
    return columns | {
        "state": AnswerState.FILTERED.value if is_filtered else AnswerState.FAILED.value,
        "reason": result.failure.reason,
        "error_code": result.failure.code.value,
        "error_detail": result.failure.detail,
    }


def pause_platform(run: Run, platform: Platform, reason: FailureReason) -> None:
    """Pause a platform that cannot answer, for all diagnoses, and append one `error` event to this one."""
    until = timezone.now() + PAUSE_DURATIONS[reason]
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=run.diagnosis_id)
        Platform.objects.filter(pk=platform.pk).pause(until, reason)
        if not diagnosis.is_final:
            event = build_pause_event(diagnosis, platform, reason)
            append_events(diagnosis.stream_id, [("error", event)])
            record_problem(
                dict(event),
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
    """Write the final status, the report and the `complete` event; answers still pending are counted as failed.

    status: decided from the counts if None, and instead of TIMED_OUT if every answer is stored. run_number: if given,
    end only if this run is the current one. code: error code, if the status does not determine it. Returns None if the
    diagnosis has ended already.
    """
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis_id)
        if diagnosis.is_final or run_number not in (None, diagnosis.run_number):
            return None
        reason = REASONS_FOR_SKIPPED_CALLS.get(status or DiagnosisStatus.FAILED, FailureReason.BUG)
        pending = diagnosis.answers.filter(state=AnswerState.PENDING)
        skipped = pending.update(state=AnswerState.FAILED, reason=reason, error_code=ERROR_CODES_BY_REASON[reason])
        PartialReply.objects.filter(answer__diagnosis=diagnosis).delete()
        diagnosis.failed += skipped
        is_too_late_to_matter = status == DiagnosisStatus.TIMED_OUT and not skipped
        diagnosis.status = decide_final_status(diagnosis) if is_too_late_to_matter or status is None else status
        error_code = ERROR_CODES_BY_STATUS.get(DiagnosisStatus(diagnosis.status)) if code is None else code
        diagnosis.error_code = "" if error_code is None else error_code.value
        diagnosis.report = _build_report(diagnosis, allow_minimal=status is not None)
        diagnosis.finished_at = timezone.now()
        diagnosis.save(update_fields=["status", "failed", "error_code", "report", "finished_at"])
        close_stream(diagnosis.stream_id, "complete", build_complete_event(diagnosis))
        # The layers above store their figures and the owner's notification in the same transaction.
        for path in settings.DIAGNOSIS_ENDED:
            import_string(path)(diagnosis)
        enqueue_next(diagnosis.owner_id)
    demo = metrics.get_demo_label_value(is_demo=diagnosis.is_demo)
    metrics.diagnoses_ended.labels(status=diagnosis.status, demo=demo).inc()
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


def decide_final_status(diagnosis: Diagnosis) -> DiagnosisStatus:
    """Return failed without a valid answer, partial with a failed one, else completed."""
    if diagnosis.valid == 0:
        return DiagnosisStatus.FAILED
    return DiagnosisStatus.PARTIAL if diagnosis.failed else DiagnosisStatus.COMPLETED


def _build_report(diagnosis: Diagnosis, *, allow_minimal: bool) -> dict[str, Any]:
    """Build the report. If a bug prevents it, allow_minimal returns the counts alone, so that the diagnosis ends."""
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


def count_crash(diagnosis_id: uuid.UUID) -> int:
    """Increment and return the number of runs that ended with an unexpected exception."""
    with transaction.atomic():
        diagnosis = Diagnosis.objects.select_for_update().get(pk=diagnosis_id)
        diagnosis.crashes += 1
        diagnosis.save(update_fields=["crashes"])
        return diagnosis.crashes
