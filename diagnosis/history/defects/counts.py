"""Counts that are not those of the rows."""

from django.db.models.expressions import RawSQL

from diagnosis.choices import FINAL, AnswerState
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.models import DiagnosisQuerySet

# A diagnosis whose columns, or whose report, count other than its answers do.
_DISAGREEING = """
    SELECT d.id
    FROM diagnosis_diagnosis d
    CROSS JOIN LATERAL (
        SELECT count(*) AS planned,
            count(*) FILTER (WHERE a.state = 'valid') AS valid,
            count(*) FILTER (WHERE a.state = 'failed') AS failed,
            count(*) FILTER (WHERE a.state = 'filtered') AS filtered
        FROM diagnosis_answer a WHERE a.diagnosis_id = d.id
    ) AS rows
    WHERE (d.planned, d.valid, d.failed, d.filtered) <> (rows.planned, rows.valid, rows.failed, rows.filtered)
        OR jsonb_typeof(d.report) = 'object'
        AND NOT d.report @> jsonb_build_object(
            'planned', rows.planned, 'valid', rows.valid, 'failed', rows.failed, 'filtered', rows.filtered)
"""


class CountsWrong(DiagnosisDefect):
    """The origin saved its counter before it counted: 5 of 6 for ever."""

    name = "counts_wrong"
    wrong = "the counts, of the row or of the report, are not those of the answers"
    mended = "they are counted again; the state and the report follow"

    def broken(self) -> DiagnosisQuerySet:
        """Final, with counts that disagree."""
        return repairable().filter(pk__in=RawSQL(_DISAGREEING, []), status__in=FINAL)

    def mend(self, case: Case) -> None:
        """Count again. Pending answers are another defect's."""
        if case.in_state(AnswerState.PENDING):
            return
        if case.recount():
            case.redecide()
        case.rebuild_report()
