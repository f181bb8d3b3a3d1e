"""Reports that are missing, of nothing, or of another type than they should be."""

from typing import Any

from django.db.models import BooleanField, Exists, F, Func, JSONField, OuterRef, Q, Value

from diagnosis.choices import FINAL_STATUSES, AnswerState, DiagnosisStatus
from diagnosis.legacy.coercion import parse_bool
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

_HAS_VALID_ANSWERS = Exists(Answer.objects.filter(diagnosis=OuterRef("pk"), state=AnswerState.VALID))
_HAS_NO_REPORT = Q(report__isnull=True) | Q(report=Value(None, JSONField()))


class MissingReport(DiagnosisDefect):
    """The origin swallowed what went wrong in the analysis."""

    name = "report_missing"
    description = "ended, but there is no report of its answers"
    fix_description = "the report is made of the stored answers"

    def find_affected(self) -> DiagnosisQuerySet:
        """Final, without a report."""
        return get_repairable_diagnoses().filter(_HAS_NO_REPORT, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        """Make it."""
        repair.rebuild_report()


class EmptyReport(DiagnosisDefect):
    """The origin said "completed" before anything was saved."""

    name = "report_empty"
    description = "completed, with a report, but not one valid answer"
    fix_description = "it has failed, and its report says so"

    def find_affected(self) -> DiagnosisQuerySet:
        """Ended well, without a valid answer."""
        return get_repairable_diagnoses().filter(
            ~_HAS_VALID_ANSWERS, status__in=[DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL]
        )

    def fix(self, repair: DiagnosisRepair) -> None:
        """Let counts, state and report be those of no answer. Pending ones are another defect's."""
        if repair.get_answers_in_state(AnswerState.PENDING):
            return
        repair.recompute_counts()
        repair.recompute_status()
        repair.rebuild_report()


class NonBooleanFlags(DiagnosisDefect):
    """The origin wrote booleans as the texts 0 and 1, and "0" is true in JavaScript."""

    name = "booleans_as_text"
    description = "booleans in the report are texts or numbers: every competitor counts as the own brand"
    fix_description = "they are booleans"

    def find_affected(self) -> DiagnosisQuerySet:
        """With a brand in the report whose `is_own` is no boolean."""
        non_boolean_path = """'$.brands[*].is_own ? (@.type() != "boolean")'"""
        has_non_boolean = Func(
            F("report"),
            template=f"jsonb_path_exists(%(expressions)s, {non_boolean_path})",
            output_field=BooleanField(),
        )
        return get_repairable_diagnoses().filter(has_non_boolean, report__isnull=False)

    def fix(self, repair: DiagnosisRepair) -> None:
        """Read the texts as what they mean."""
        report: dict[str, Any] = repair.diagnosis.report or {}
        brands = [{**brand, "is_own": parse_bool(brand.get("is_own"))} for brand in report.get("brands", [])]
        repair.changes.set(repair.diagnosis, report={**report, "brands": brands})
