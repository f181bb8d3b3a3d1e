"""Reports that are missing, of nothing, or of another type than they should be."""

from typing import Any

from django.db.models import BooleanField, Exists, F, Func, JSONField, OuterRef, Q, Value

from diagnosis.choices import FINAL, AnswerState, Status
from diagnosis.history.case import Case
from diagnosis.history.defects.base import DiagnosisDefect, repairable
from diagnosis.legacy.values import read_bool
from diagnosis.models import Answer, DiagnosisQuerySet

_VALID = Exists(Answer.objects.filter(diagnosis=OuterRef("pk"), state=AnswerState.VALID))
_NO_REPORT = Q(report__isnull=True) | Q(report=Value(None, JSONField()))


class ReportMissing(DiagnosisDefect):
    """The origin swallowed what went wrong in the analysis."""

    name = "report_missing"
    wrong = "ended, but there is no report of its answers"
    mended = "the report is made of the stored answers"

    def broken(self) -> DiagnosisQuerySet:
        """Final, without a report."""
        return repairable().filter(_NO_REPORT, status__in=FINAL)

    def mend(self, case: Case) -> None:
        """Make it."""
        case.rebuild_report()


class ReportEmpty(DiagnosisDefect):
    """The origin said "completed" before anything was saved."""

    name = "report_empty"
    wrong = "completed, with a report, but not one valid answer"
    mended = "it has failed, and its report says so"

    def broken(self) -> DiagnosisQuerySet:
        """Ended well, without a valid answer."""
        return repairable().filter(~_VALID, status__in=[Status.COMPLETED, Status.PARTIAL])

    def mend(self, case: Case) -> None:
        """Let counts, state and report be those of no answer. Pending ones are another defect's."""
        if case.in_state(AnswerState.PENDING):
            return
        case.recount()
        case.redecide()
        case.rebuild_report()


class BooleansAsText(DiagnosisDefect):
    """The origin wrote booleans as the texts 0 and 1, and "0" is true in JavaScript."""

    name = "booleans_as_text"
    wrong = "booleans in the report are texts or numbers: every competitor counts as the own brand"
    mended = "they are booleans"

    def broken(self) -> DiagnosisQuerySet:
        """With a brand in the report whose `is_own` is no boolean."""
        is_no_boolean = """'$.brands[*].is_own ? (@.type() != "boolean")'"""
        found = Func(
            F("report"),
            template=f"jsonb_path_exists(%(expressions)s, {is_no_boolean})",
            output_field=BooleanField(),
        )
        return repairable().filter(found, report__isnull=False)

    def mend(self, case: Case) -> None:
        """Read the texts as what they mean."""
        report: dict[str, Any] = case.diagnosis.report or {}
        brands = [{**brand, "is_own": read_bool(brand.get("is_own"))} for brand in report.get("brands", [])]
        case.changes.set(case.diagnosis, report={**report, "brands": brands})
