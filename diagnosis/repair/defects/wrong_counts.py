"""Counts that differ from the rows."""

from django.db.models.expressions import RawSQL

from diagnosis.choices import FINAL_STATUSES, AnswerState
from diagnosis.models import DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

# Diagnoses whose columns or report differ from the counts of their answers.
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
    """The source system saved its counter before counting, so it stays at 5 of 6."""

    name = "counts_wrong"
    description = gettext_lazy("行或报告中的计数与回答不符")
    fix_description = gettext_lazy("重新计数，并重算状态和报告")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(pk__in=RawSQL(_WRONG_COUNTS_SQL, []), status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        # Pending answers are another defect.
        if repair.get_answers_in_state(AnswerState.PENDING):
            return
        if repair.recompute_counts():
            repair.recompute_status()
        repair.rebuild_report()
