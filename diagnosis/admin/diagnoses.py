from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from diagnosis.exceptions import DiagnosisRunning, RowsBusy
from diagnosis.models import Answer, Brand, Correction, Diagnosis, Question
from diagnosis.orders import services
from diagnosis.orders.retries import create_retry
from diagnosis.spending.overview import annotate_cost, format_money
from errors.audit import ReadOnlyAdmin
from errors.exceptions import Conflict


class _ReadOnlyInline(admin.TabularInline[Any, Any]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _BrandInline(_ReadOnlyInline):
    model = Brand
    fields = ["name", "aliases", "is_own"]


class _QuestionInline(_ReadOnlyInline):
    model = Question
    fields = ["text"]


@admin.register(Diagnosis)
class DiagnosisAdmin(ReadOnlyAdmin[Diagnosis]):
    """Diagnoses can be cancelled and retried. `manage.py forget_user` deletes them with their event streams."""

    list_display = [
        "brand",
        "owner",
        "status",
        "valid",
        "failed",
        "filtered",
        "planned",
        "estimated_cost",
        "cost",
        "is_demo",
        "created_at",
        "finished_at",
    ]
    list_filter = ["status", "is_demo", "created_at"]
    search_fields = ["brand", "=request_id"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    inlines = [_BrandInline, _QuestionInline]
    actions = ["cancel", "retry"]
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Diagnosis]:
        """Annotate the diagnoses with their cost."""
        return annotate_cost(super().get_queryset(request), "diagnosis")

    @admin.display(description="实际费用（元）")
    def cost(self, diagnosis: Diagnosis) -> str:
        return format_money(diagnosis.cost)  # type: ignore[attr-defined]

    @admin.action(description="取消所选诊断", permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Diagnosis]) -> None:
        """Cancel those that are still running."""
        unfinished = [diagnosis for diagnosis in queryset if not diagnosis.is_final]
        for diagnosis in unfinished:
            services.cancel_diagnosis(diagnosis)
        self.message_user(request, f"已取消 {len(unfinished)} 个诊断。", messages.SUCCESS)

    @admin.action(description="补问所选诊断失败的回答", permissions=["steer"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Diagnosis]) -> None:
        """Create a diagnosis of the same owner for each that repeats only the failed calls."""
        started, refusals = 0, list[str]()
        for diagnosis in queryset.select_related("owner"):
            context = services.RequestContext(
                diagnosis.owner, None, request.META.get("REQUEST_ID", ""), diagnosis.locale
            )
            try:
                started += create_retry(diagnosis, context)[1]
            except (Conflict, DiagnosisRunning) as refusal:
                refusals.append(f"{diagnosis}：{'；'.join((refusal.fields or {}).values()) or '仍在运行'}")
            except RowsBusy:
                refusals.append(f"{diagnosis}：正在被另一个请求修改，请稍后再试")
        self.message_user(request, f"已开始 {started} 个补问。", messages.SUCCESS if started else messages.WARNING)
        if refusals:
            self.message_user(request, "；".join(refusals), messages.WARNING)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Allow the actions with Django's change permission, although the form itself is read-only."""
        return bool(request.user.has_perm("diagnosis.change_diagnosis"))


@admin.register(Answer)
class AnswerAdmin(ReadOnlyAdmin[Answer]):
    """Answers of platforms, or the reasons why they are missing."""

    list_display = [
        "id",
        "platform",
        "state",
        "reason",
        "error_detail",
        "attempts",
        "cost",
        "milliseconds",
        "answered_at",
    ]
    list_filter = ["state", "reason", "platform", "is_demo"]
    list_select_related = ["platform"]
    raw_id_fields = ["diagnosis", "question"]
    ordering = ["-pk"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        """Annotate the answers with their cost."""
        return annotate_cost(super().get_queryset(request), "answer")

    @admin.display(description="费用（元）")
    def cost(self, answer: Answer) -> str:
        return format_money(answer.cost)  # type: ignore[attr-defined]


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin[Correction]):
    """Corrections by users, which show where known brands lack a decoy or an alias."""

    list_display = ["brand", "kind", "alias", "start", "end", "diagnosis", "created_at"]
    list_filter = ["kind", "created_at"]
    search_fields = ["brand", "alias"]
    list_select_related = ["diagnosis"]
