"""Read-only admin pages of imports and repairs."""

from django.contrib import admin

from diagnosis.admin.diagnoses import DiagnosisSearchMixin
from diagnosis.models import LegacyRecord, RepairChange, RepairRun
from errors.audit import ReadOnlyAdmin


@admin.register(LegacyRecord)
class LegacyRecordAdmin(DiagnosisSearchMixin, ReadOnlyAdmin[LegacyRecord]):
    """Rows of imported exports, with their original content and state."""

    list_display = ["table", "key", "state", "problem", "belongs_to", "created_at"]
    list_filter = ["state", "table"]
    search_fields = ["=key"]
    search_help_text = "诊断编号或键"
    ordering = ["-pk"]
    show_full_result_count = False

    @admin.display(description="诊断", ordering="diagnosis_id")
    def belongs_to(self, record: LegacyRecord) -> str:
        """Return the id of its diagnosis without reading that row."""
        return str(record.diagnosis_id or "-")


@admin.register(RepairRun)
class RepairRunAdmin(ReadOnlyAdmin[RepairRun]):
    """Each `repair_history --apply`."""

    list_display = ["id", "started_at", "finished_at", "undone_at", "mended"]
    ordering = ["-pk"]
    show_full_result_count = False


@admin.register(RepairChange)
class RepairChangeAdmin(ReadOnlyAdmin[RepairChange]):
    """The journal: each changed row before and after."""

    list_display = ["repair", "defect", "model", "key", "is_undone"]
    list_filter = ["defect", "model", "is_undone"]
    search_fields = ["=key"]
    ordering = ["-pk"]
    show_full_result_count = False

    @admin.display(description="修复", ordering="run_id")
    def repair(self, change: RepairChange) -> int:
        return change.run_id
