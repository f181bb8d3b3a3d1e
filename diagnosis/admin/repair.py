"""What was imported and what was repaired, to look at."""

from django.contrib import admin

from diagnosis.models import LegacyRecord, RepairChange, RepairRun
from errors.audit import ReadOnlyAdmin


@admin.register(LegacyRecord)
class LegacyRecordAdmin(ReadOnlyAdmin[LegacyRecord]):
    """Rows of another system's export: what became of each, and what it was."""

    list_display = ["table", "key", "state", "problem", "belongs_to", "created_at"]
    list_filter = ["state", "table"]
    search_fields = ["=key", "=diagnosis__id"]
    ordering = ["-pk"]
    show_full_result_count = False

    @admin.display(description="诊断", ordering="diagnosis_id")
    def belongs_to(self, record: LegacyRecord) -> str:
        """Its id: the row itself need not be read."""
        return str(record.diagnosis_id or "-")


@admin.register(RepairRun)
class RepairRunAdmin(ReadOnlyAdmin[RepairRun]):
    """Each `repair_history --apply`."""

    list_display = ["id", "started_at", "finished_at", "undone_at", "mended"]
    ordering = ["-pk"]
    show_full_result_count = False


@admin.register(RepairChange)
class RepairChangeAdmin(ReadOnlyAdmin[RepairChange]):
    """The journal: every row before and after."""

    list_display = ["repair", "defect", "model", "key", "is_undone"]
    list_filter = ["defect", "model", "is_undone"]
    search_fields = ["=key"]
    ordering = ["-pk"]
    show_full_result_count = False

    @admin.display(description="修复", ordering="run_id")
    def repair(self, change: RepairChange) -> int:
        """The number of its run."""
        return change.run_id
