"""A diagnosis with all its rows in memory, and the operations that fixes use."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from diagnosis.choices import AnswerState, DiagnosisStatus, FailureReason
from diagnosis.exceptions import ERROR_CODES_BY_REASON
from diagnosis.models import Answer, Brand, Diagnosis, LegacyRecord, Question
from diagnosis.repair.change_set import ChangeSet
from diagnosis.reports.service import build_report_from_rows
from diagnosis.running.events import build_complete_event
from diagnosis.running.state_machine import ERROR_CODES_BY_STATUS, decide_final_status
from progress.models import Event

# Statuses that follow from the answers.
STATUSES_FROM_ANSWERS = (DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL, DiagnosisStatus.FAILED)
ERROR_CODES_FROM_ANSWERS = ("", *(code.value for code in ERROR_CODES_BY_STATUS.values()))


@dataclass
class DiagnosisRepair:
    """A diagnosis under repair: its rows as they will be, and the changes to write."""

    diagnosis: Diagnosis
    changes: ChangeSet
    brands: list[Brand] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    legacy: LegacyRecord | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Facts recorded by the import; empty for a diagnosis of this site."""
        return self.legacy.facts if self.legacy else {}

    def get_answers_in_state(self, *states: AnswerState) -> list[Answer]:
        return [answer for answer in self.answers if answer.state in states]

    def fail_pending_answers(self, reason: FailureReason) -> None:
        for answer in self.get_answers_in_state(AnswerState.PENDING):
            self.changes.set(
                answer, state=AnswerState.FAILED, reason=reason, error_code=ERROR_CODES_BY_REASON[reason].value
            )

    def recompute_counts(self) -> bool:
        """Set the counts to those of the answers; return whether they differed."""
        states = Counter(str(answer.state) for answer in self.answers)
        counts = {state.value: states[state.value] for state in AnswerState if state != AnswerState.PENDING}
        return self.changes.set(self.diagnosis, planned=len(self.answers), **counts)

    def recompute_status(self) -> None:
        """Set the status that follows from the answers, unless it records a cancellation, timeout or error."""
        if self.diagnosis.status in STATUSES_FROM_ANSWERS and self.diagnosis.error_code in ERROR_CODES_FROM_ANSWERS:
            self._set_status(decide_final_status(self.diagnosis))

    def _set_status(self, status: DiagnosisStatus) -> None:
        code = ERROR_CODES_BY_STATUS.get(status)
        if self.diagnosis.status != status:
            self.changes.set(self.diagnosis, status=status, error_code=code.value if code else "")

    def rebuild_report(self) -> None:
        """Build the report from the rows as they will be."""
        self.changes.set(
            self.diagnosis, report=build_report_from_rows(self.diagnosis, self.brands, self.questions, self.answers)
        )

    def finish(self, status: DiagnosisStatus | None, *, finished_at: datetime | None = None) -> None:
        """End it: set counts, status (None: as the answers say), report and end time; close the stream."""
        self.recompute_counts()
        self._set_status(status or decide_final_status(self.diagnosis))
        self.rebuild_report()
        if self.diagnosis.finished_at is None:
            self.changes.set(self.diagnosis, finished_at=finished_at or self.get_last_activity_at())
        self.close_stream()

    def get_last_activity_at(self) -> datetime:
        """Return the time of its last recorded activity."""
        times = [answer.answered_at for answer in self.answers if answer.answered_at]
        return max([*times, self.diagnosis.started_at or self.diagnosis.created_at])

    def get_deadline(self) -> datetime:
        """Return its deadline, estimated if it has none."""
        started_at = self.diagnosis.started_at or self.diagnosis.created_at
        return self.diagnosis.deadline_at or started_at + timedelta(seconds=settings.DIAGNOSIS_TIMEOUT_SECONDS)

    def close_stream(self) -> None:
        """Append the `complete` event and close the stream."""
        stream = self.diagnosis.stream
        if stream.is_closed:
            return
        last_seq = stream.last_seq + 1
        closed_at = self.diagnosis.finished_at or self.get_last_activity_at()
        self.changes.set(stream, is_closed=True, closed_at=closed_at, last_seq=last_seq)
        self.changes.create(
            Event(
                stream=stream,
                seq=last_seq,
                kind="complete",
                data=build_complete_event(self.diagnosis),
                created_at=closed_at,
            )
        )


def load_repairs(keys: Iterable[UUID], *, lock: bool = False) -> list[DiagnosisRepair]:
    """Load diagnoses with their rows. `lock` locks them and skips those that another transaction has locked."""
    diagnoses = Diagnosis.objects.filter(pk__in=list(keys)).select_related("stream")
    if lock:
        diagnoses = diagnoses.select_for_update(of=("self",), skip_locked=True)
    rows = diagnoses.prefetch_related("brands", "questions", "answers", "legacy").order_by("pk")
    return [
        DiagnosisRepair(
            diagnosis,
            ChangeSet(),
            brands=list(diagnosis.brands.all()),
            questions=list(diagnosis.questions.all()),
            answers=list(diagnosis.answers.all()),
            legacy=getattr(diagnosis, "legacy", None),
        )
        for diagnosis in rows
    ]


def share_change_set(repairs: Sequence[DiagnosisRepair]) -> ChangeSet:
    """Let all repairs use one change set, so that a batch is written in few statements."""
    changes = ChangeSet()
    for repair in repairs:
        repair.changes = changes
    return changes
