"""One diagnosis with all its rows in memory, and what a mend may do to it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from diagnosis.choices import AnswerState, Reason, Status
from diagnosis.exceptions import CODES
from diagnosis.history.changes import Changes
from diagnosis.history.models import LegacyRecord
from diagnosis.models import Answer, Brand, Diagnosis, Question
from diagnosis.reporting import report_of
from diagnosis.transitions import END_CODES, complete_of, decide_status
from progress.models import Event

BY_ANSWERS = (Status.COMPLETED, Status.PARTIAL, Status.FAILED)  # states that the answers decide
CODES_BY_ANSWERS = ("", *(code.value for code in END_CODES.values()))


@dataclass
class Case:
    """A diagnosis under repair. Its lists are the rows as they will be; `changes` collects what is to be written."""

    diagnosis: Diagnosis
    changes: Changes
    brands: list[Brand] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    legacy: LegacyRecord | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What its import has read of it; nothing for a diagnosis of our own."""
        return self.legacy.facts if self.legacy else {}

    def in_state(self, *states: AnswerState) -> list[Answer]:
        """Its answers that are in one of these states."""
        return [answer for answer in self.answers if answer.state in states]

    def fail_pending(self, reason: Reason) -> None:
        """Nobody will ask for them any more."""
        for answer in self.in_state(AnswerState.PENDING):
            self.changes.set(answer, state=AnswerState.FAILED, reason=reason, error_code=CODES[reason].value)

    def recount(self) -> bool:
        """Let the counts be those of the rows; returns whether they were not."""
        states = Counter(str(answer.state) for answer in self.answers)
        counts = {state.value: states[state.value] for state in AnswerState if state != AnswerState.PENDING}
        return self.changes.set(self.diagnosis, planned=len(self.answers), **counts)

    def redecide(self) -> None:
        """Let the state be what the answers say, unless it says how the run was ended."""
        if self.diagnosis.status in BY_ANSWERS and self.diagnosis.error_code in CODES_BY_ANSWERS:
            self._end_as(decide_status(self.diagnosis))

    def _end_as(self, status: Status) -> None:
        code = END_CODES.get(status)
        if self.diagnosis.status != status:
            self.changes.set(self.diagnosis, status=status, error_code=code.value if code else "")

    def rebuild_report(self) -> None:
        """The report of the answers as they will be stored."""
        self.changes.set(self.diagnosis, report=report_of(self.diagnosis, self.brands, self.questions, self.answers))

    def end(self, status: Status | None, *, at: datetime | None = None) -> None:
        """Bring it to its end: counts, state (None: what the answers say), report, stream."""
        self.recount()
        self._end_as(status or decide_status(self.diagnosis))
        self.rebuild_report()
        if self.diagnosis.finished_at is None:
            self.changes.set(self.diagnosis, finished_at=at or self.last_sign_of_life())
        self.close_stream()

    def last_sign_of_life(self) -> datetime:
        """When it last did anything that was written down."""
        times = [answer.answered_at for answer in self.answers if answer.answered_at]
        return max([*times, self.diagnosis.started_at or self.diagnosis.created_at])

    def deadline(self) -> datetime:
        """When it should have ended at the latest."""
        began = self.diagnosis.started_at or self.diagnosis.created_at
        return self.diagnosis.deadline_at or began + timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS)

    def close_stream(self) -> None:
        """Tell whoever still follows that it is over."""
        stream = self.diagnosis.stream
        if stream.is_closed:
            return
        last = stream.last_seq + 1
        at = self.diagnosis.finished_at or self.last_sign_of_life()
        self.changes.set(stream, is_closed=True, closed_at=at, last_seq=last)
        self.changes.create(
            Event(stream=stream, seq=last, kind="complete", data=complete_of(self.diagnosis), created_at=at)
        )


def load_cases(keys: Iterable[UUID], *, lock: bool = False) -> list[Case]:
    """These diagnoses with their rows. lock: those that somebody else works on right now are left out."""
    diagnoses = Diagnosis.objects.filter(pk__in=list(keys)).select_related("stream")
    if lock:
        diagnoses = diagnoses.select_for_update(of=("self",), skip_locked=True)
    rows = diagnoses.prefetch_related("brands", "questions", "answers", "legacy").order_by("pk")
    return [_case(diagnosis) for diagnosis in rows]


def _case(diagnosis: Diagnosis) -> Case:
    return Case(
        diagnosis,
        Changes(),
        brands=list(diagnosis.brands.all()),
        questions=list(diagnosis.questions.all()),
        answers=list(diagnosis.answers.all()),
        legacy=getattr(diagnosis, "legacy", None),
    )


def share_changes(cases: Sequence[Case]) -> Changes:
    """One collection for all of them, so that a batch is written in few statements."""
    changes = Changes()
    for case in cases:
        case.changes = changes
    return changes
