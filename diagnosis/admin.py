from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from diagnosis import orders
from diagnosis.history import admin as history_admin
from diagnosis.models import Answer, Brand, Correction, Diagnosis, Platform, Question

__all__ = ["history_admin"]  # its registrations


@admin.register(Platform)
class PlatformAdmin(admin.ModelAdmin[Platform]):
    """Operators' platforms: addresses, models, limits, prices; keys stay in the environment."""

    list_display = [
        "name",
        "id",
        "model",
        "is_enabled",
        "is_demo",
        "paused_until",
        "pause_reason",
        "concurrency",
        "requests_per_minute",
        "price_per_call",
    ]
    list_filter = ["is_enabled", "is_demo"]
    actions = ["resume"]

    def get_readonly_fields(self, request: HttpRequest, obj: Platform | None = None) -> list[str]:
        """The id of a platform that is there: answers point to it, and another id would be another platform."""
        return ["is_demo"] if obj is None else ["id", "is_demo"]

    @admin.action(description="恢复所选平台")
    def resume(self, request: HttpRequest, queryset: QuerySet[Platform]) -> None:
        """Lift the pause."""
        count = queryset.update(paused_until=None, pause_reason="")
        self.message_user(request, f"已恢复 {count} 个平台。", messages.SUCCESS)


class _Rows(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _BrandRows(_Rows):
    model = Brand
    fields = ["name", "aliases", "is_own"]


class _QuestionRows(_Rows):
    model = Question
    fields = ["text"]


@admin.register(Diagnosis)
class DiagnosisAdmin(admin.ModelAdmin[Diagnosis]):
    """Every diagnosis, to look at and to cancel; nothing is changed by hand."""

    list_display = [
        "brand",
        "owner",
        "status",
        "valid",
        "failed",
        "filtered",
        "planned",
        "is_demo",
        "created_at",
        "finished_at",
    ]
    list_filter = ["status", "is_demo", "created_at"]
    search_fields = ["brand", "=request_id"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    inlines = [_BrandRows, _QuestionRows]
    actions = ["cancel"]

    @admin.action(description="取消所选诊断")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Diagnosis]) -> None:
        """Cancel those that still run."""
        unfinished = [diagnosis for diagnosis in queryset if not diagnosis.is_final]
        for diagnosis in unfinished:
            orders.cancel_diagnosis(diagnosis)
        self.message_user(request, f"已取消 {len(unfinished)} 个诊断。", messages.SUCCESS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Diagnoses come from users."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Diagnosis | None = None) -> bool:
        """The run writes them."""
        return False


@admin.register(Answer)
class AnswerAdmin(admin.ModelAdmin[Answer]):
    """What each platform said, or why it did not."""

    list_display = ["id", "platform", "state", "reason", "error_detail", "attempts", "milliseconds", "answered_at"]
    list_filter = ["state", "reason", "platform", "is_demo"]
    list_select_related = ["platform"]
    raw_id_fields = ["diagnosis", "question"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Answers are planned with their diagnosis."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Answer | None = None) -> bool:
        """The run writes them."""
        return False


@admin.register(Correction)
class CorrectionAdmin(admin.ModelAdmin[Correction]):
    """What users said of hits: where the known brands lack a decoy or an alias."""

    list_display = ["brand", "kind", "alias", "start", "end", "diagnosis", "created_at"]
    list_filter = ["kind", "created_at"]
    search_fields = ["brand", "alias"]
    list_select_related = ["diagnosis"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Users make them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        """The report was made with them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        """Users take them back."""
        return False
