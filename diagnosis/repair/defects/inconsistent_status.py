"""Diagnoses whose state and answers contradict each other."""

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
    """The origin wrote the final state while answers were missing."""

    name = "ended_incomplete"
    description = "ended, but answers are still pending (final state with progress below 100)"
    fix_description = "pending answers are failed, counts, state and report follow the answers"

    def find_affected(self) -> DiagnosisQuerySet:
        """Final, with pending answers."""
        return get_repairable_diagnoses().filter(_HAS_PENDING_ANSWERS, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """As the end of a run would have done."""
        repair.fail_pending_answers(
            _PENDING_REASON_BY_STATUS.get(DiagnosisStatus(repair.diagnosis.status), FailureReason.BUG)
        )
        repair.recompute_counts()
        repair.recompute_status()
        repair.rebuild_report()
        repair.close_stream()


class RunningWithAllAnswers(DiagnosisDefect):
    """The origin's worker died between the last answer and the final state."""

    name = "running_complete"
    description = "still running, but every answer is there (progress 100 with a running state)"
    fix_description = "it ends as its answers say, with their report"

    def find_affected(self) -> DiagnosisQuerySet:
        """Unfinished, with answers, none of them pending."""
        return get_repairable_diagnoses().filter(_HAS_ANSWERS, ~_HAS_PENDING_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """End it by its answers."""
        repair.finish(None)


class RunningPastDeadline(DiagnosisDefect):
    """Its worker died, and nothing has taken it up."""

    name = "running_forever"
    description = "still running long past its deadline, held by no worker"
    fix_description = "it has timed out; what was answered is kept and reported"

    def find_affected(self) -> DiagnosisQuerySet:
        """Unfinished, with pending answers or none at all."""
        return get_repairable_diagnoses().filter(_HAS_PENDING_ANSWERS | ~_HAS_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """End it at its deadline."""
        repair.fail_pending_answers(FailureReason.DEADLINE)
        repair.finish(DiagnosisStatus.TIMED_OUT, finished_at=repair.get_deadline())
