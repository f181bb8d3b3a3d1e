"""Diagnoses whose status contradicts their answers."""

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL_STATUSES, UNFINISHED_STATUSES, AnswerState, DiagnosisStatus, FailureReason
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

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
    description = gettext_lazy("已结束，但有未完成的回答（最终状态，进度不到 100）")
    fix_description = gettext_lazy("未完成的回答标为失败，重算计数、状态和报告")

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
    description = gettext_lazy("仍在进行，但回答已齐全（进度 100，状态仍为进行中）")
    fix_description = gettext_lazy("按回答得出的状态和报告结束")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_ANSWERS, ~_HAS_PENDING_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.finish(None)


class RunningPastDeadline(DiagnosisDefect):
    """The worker died and no other continued the diagnosis."""

    name = "running_forever"
    description = gettext_lazy("超过截止时间很久仍在进行，但没有任务进程处理")
    fix_description = gettext_lazy("状态改为超时；保留已有的回答并生成报告")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_PENDING_ANSWERS | ~_HAS_ANSWERS, status__in=UNFINISHED_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.fail_pending_answers(FailureReason.DEADLINE)
        repair.finish(DiagnosisStatus.TIMED_OUT, finished_at=repair.get_deadline())
