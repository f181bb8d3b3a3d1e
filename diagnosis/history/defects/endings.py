"""Diagnoses whose state and answers contradict each other."""

from django.db.models import Exists, OuterRef

from diagnosis.choices import FINAL, UNFINISHED, AnswerState, Reason, Status
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.models import Answer, DiagnosisQuerySet

_ANSWERS = Answer.objects.filter(diagnosis=OuterRef("pk"))
_PENDING = Exists(_ANSWERS.filter(state=AnswerState.PENDING))
_ANY = Exists(_ANSWERS)

_WHY_PENDING = {Status.TIMED_OUT: Reason.DEADLINE, Status.CANCELLED: Reason.CANCELLED}


class EndedIncomplete(DiagnosisDefect):
    """The origin wrote the final state while answers were missing."""

    name = "ended_incomplete"
    wrong = "ended, but answers are still pending (final state with progress below 100)"
    mended = "pending answers are failed, counts, state and report follow the answers"

    def broken(self) -> DiagnosisQuerySet:
        """Final, with pending answers."""
        return repairable().filter(_PENDING, status__in=FINAL)

    def mend(self, case: Case) -> None:
        """As the end of a run would have done."""
        case.fail_pending(_WHY_PENDING.get(Status(case.diagnosis.status), Reason.BUG))
        case.recount()
        case.redecide()
        case.rebuild_report()
        case.close_stream()


class RunningComplete(DiagnosisDefect):
    """The origin's worker died between the last answer and the final state."""

    name = "running_complete"
    wrong = "still running, but every answer is there (progress 100 with a running state)"
    mended = "it ends as its answers say, with their report"

    def broken(self) -> DiagnosisQuerySet:
        """Unfinished, with answers, none of them pending."""
        return repairable().filter(_ANY, ~_PENDING, status__in=UNFINISHED)

    def mend(self, case: Case) -> None:
        """End it by its answers."""
        case.end(None)


class RunningForever(DiagnosisDefect):
    """Its worker died, and nothing has taken it up."""

    name = "running_forever"
    wrong = "still running long past its deadline, held by no worker"
    mended = "it has timed out; what was answered is kept and reported"

    def broken(self) -> DiagnosisQuerySet:
        """Unfinished, with pending answers or none at all."""
        return repairable().filter(_PENDING | ~_ANY, status__in=UNFINISHED)

    def mend(self, case: Case) -> None:
        """End it at its deadline."""
        case.fail_pending(Reason.DEADLINE)
        case.end(Status.TIMED_OUT, at=case.deadline())
