"""Diagnoses whose status contradicts their answers."""

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL_STATUSES, UNFINISHED_STATUSES, AnswerState, DiagnosisStatus, FailureReason
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

_ANSWERS = Answer.objects.filter(diagnosis=OuterRef("pk"))
_HAS_PENDING_ANSWERS = Exists(_ANSWERS.filter(state=AnswerState.PENDING))
_HAS_ANSWERS = Exists(_ANSWERS)

_PENDING_REASON_BY_STATUS = {
    DiagnosisStatus.TIMED_OUT: FailureReason.DEADLINE,
    DiagnosisStatus.CANCELLED: FailureReason.CANCELLED,
}


class EndedWithPendingAnswers(DiagnosisDefect):
    """The source system set a final status while answers were missing."""

    name = "ended_incomplete"
    description = "ended with pending answers (final status with progress below 100)"
    fix_description = "mark pending answers as failed; recompute counts, status and report"

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_PENDING_ANSWERS, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.fail_pending_answers(
            _PENDING_REASON_BY_STATUS.get(DiagnosisStatus(repair.diagnosis.status), FailureReason.BUG)
        )
        repair.recompute_counts()
        repair.recompute_status()
        repair.rebuild_report()
        repair.close_stream()


class RunningWithAllAnswers(DiagnosisDefect):
    """The worker of the source system died between the last answer and the final status."""

    name = "running_complete"
    description = "running, although all answers exist (progress 100 with a running status)"
    fix_description = "end it with the status and report that follow from its answers"

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_ANSWERS, ~_HAS_PENDING_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.finish(None)


class RunningPastDeadline(DiagnosisDefect):
    """The worker died and no other continued the diagnosis."""

    name = "running_forever"
    description = "running long past its deadline without a worker"
    fix_description = "set the status to timed out; keep and report the answers"

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_PENDING_ANSWERS | ~_HAS_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.fail_pending_answers(FailureReason.DEADLINE)
        repair.finish(DiagnosisStatus.TIMED_OUT, finished_at=repair.get_deadline())
