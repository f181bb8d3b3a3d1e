"""Reports that are missing, empty, or have values of wrong types."""

from typing import Any

from django.db.models import BooleanField, Exists, F, Func, JSONField, OuterRef, Q, Value

from diagnosis.choices import FINAL_STATUSES, AnswerState, DiagnosisStatus
from diagnosis.legacy.coercion import parse_bool
from diagnosis.models import Answer, DiagnosisQuerySet
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

_HAS_VALID_ANSWERS = Exists(Answer.objects.filter(diagnosis=OuterRef("pk"), state=AnswerState.VALID))
_HAS_NO_REPORT = Q(report__isnull=True) | Q(report=Value(None, JSONField()))


class MissingReport(DiagnosisDefect):
    """The source system ignored errors of its analysis."""

    name = "report_missing"
    description = gettext_lazy("已结束，但没有报告")
    fix_description = gettext_lazy("用已存的回答生成报告")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(_HAS_NO_REPORT, status__in=FINAL_STATUSES)

    def fix(self, repair: DiagnosisRepair) -> None:
        repair.rebuild_report()


class EmptyReport(DiagnosisDefect):
    """The source system reported success before it saved any answer."""

    name = "report_empty"
    description = gettext_lazy("状态为完成且有报告，但没有有效回答")
    fix_description = gettext_lazy("状态改为失败，并重新生成报告")

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
    description = gettext_lazy("报告中的布尔值是文本或数字，每个竞品都会算作本品牌")
    fix_description = gettext_lazy("转换为布尔值")

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
