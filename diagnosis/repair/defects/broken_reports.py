"""Reports that are missing, empty, or have values of wrong types."""

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
    """The source system ignored errors of its analysis."""

    name = "report_missing"
    description = "ended without a report"
    fix_description = "build the report from the stored answers"

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_NO_REPORT, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.rebuild_report()


class EmptyReport(DiagnosisDefect):
    """The source system reported success before it saved any answer."""

    name = "report_empty"
    description = "completed with a report, but without a valid answer"
    fix_description = "set the status to failed and rebuild the report"

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(
            ~_HAS_VALID_ANSWERS, status__in=[DiagnosisStatus.COMPLETED, DiagnosisStatus.PARTIAL]
        )

    def fix(self, repair: DiagnosisRepair) -> None:
        # Pending answers are another defect.
        if repair.get_answers_in_state(AnswerState.PENDING):
            return
        repair.recompute_counts()
        repair.recompute_status()
        repair.rebuild_report()


class NonBooleanFlags(DiagnosisDefect):
    """The source system stored booleans as the texts 0 and 1, and "0" is true in JavaScript."""

    name = "booleans_as_text"
    description = "booleans in the report are texts or numbers, so every competitor counts as the own brand"
    fix_description = "convert them to booleans"

    def find_affected(self) -> DiagnosisQuerySet:
        non_boolean_path = """'$.brands[*].is_own ? (@.type() != "boolean")'"""
        has_non_boolean = Func(
            F("report"),
            template=f"jsonb_path_exists(%(expressions)s, {non_boolean_path})",
            output_field=BooleanField(),
        )
        return get_repairable_diagnoses().filter(has_non_boolean, report__isnull=False)

    def fix(self, repair: DiagnosisRepair) -> None:
        report: dict[str, Any] = repair.diagnosis.report or {}
        brands = [{**brand, "is_own": parse_bool(brand.get("is_own"))} for brand in report.get("brands", [])]
        repair.changes.set(repair.diagnosis, report={**report, "brands": brands})
