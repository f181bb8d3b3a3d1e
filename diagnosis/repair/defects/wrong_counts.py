"""Counts that are not those of the rows."""

from django.db.models.expressions import RawSQL

from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.models import DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

# A diagnosis whose columns, or whose report, count other than its answers do.
_WRONG_COUNTS_SQL = """
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


class WrongCounts(DiagnosisDefect):
    """The origin saved its counter before it counted: 5 of 6 for ever."""

    name = "counts_wrong"
    description = "the counts, of the row or of the report, are not those of the answers"
    fix_description = "they are counted again; the state and the report follow"

    def find_affected(self) -> DiagnosisQuerySet:
        """Final, with counts that disagree."""
        return get_repairable_diagnoses().filter(pk__in=RawSQL(_WRONG_COUNTS_SQL, []), status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """Count again. Pending answers are another defect's."""
        if repair.get_answers_in_state(AnswerState.PENDING):
            return
        if repair.recompute_counts():
            repair.recompute_status()
        repair.rebuild_report()
