import uuid
from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from diagnosis.admin.diagnosis_page import build_answer_table, build_links, build_report_tables
from diagnosis.choices import FINAL_STATUSES, UNFINISHED_STATUSES
from diagnosis.exceptions import DiagnosisRunning, RowsBusy
from diagnosis.models import Answer, Brand, Correction, Diagnosis
from diagnosis.orders import services
from diagnosis.orders.retries import create_retry
from diagnosis.spending.overview import annotate_cost, format_money
from errors.audit import ReadOnlyAdmin
from errors.exceptions import Conflict

MAX_LISTED_TEXT_CHARACTERS = 160


class DiagnosisSearchMixin(admin.ModelAdmin[Any]):
    """Find the rows of a diagnosis by its id, which uses an index; any other term is searched as usual."""

    diagnosis_lookup = "diagnosis"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        """Filter by the id, or search."""
        with suppress(ValueError):
            return queryset.filter(**{self.diagnosis_lookup: uuid.UUID(search_term.strip())}), False
        return super().get_search_results(request, queryset, search_term)


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


class UnfinishedFilter(admin.SimpleListFilter):
    """Filter by whether a diagnosis has ended."""

    title = "是否结束"
    parameter_name = "unfinished"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "进行中"), ("no", "已结束")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Diagnosis]) -> QuerySet[Diagnosis]:
        """Apply the choice, as `Diagnosis.objects.unfinished` defines it."""
        if self.value() == "yes":
            return queryset.filter(status__in=UNFINISHED_STATUSES, is_imported=False)
        return queryset.filter(status__in=FINAL_STATUSES) if self.value() == "no" else queryset


@admin.register(Diagnosis)
class DiagnosisAdmin(DiagnosisSearchMixin, ReadOnlyAdmin[Diagnosis]):
    """Diagnoses can be cancelled and retried. `manage.py forget_user` deletes them with their event streams."""

    diagnosis_lookup = "pk"
    change_form_template = "admin/diagnosis/diagnosis/change_form.html"

    list_display = [
        "brand",
        "owner",
        "status",
        "answer_counts",
        "estimated_cost",
        "cost",
        "is_demo",
        "created_at",
        "finished_at",
    ]
    list_filter = [UnfinishedFilter, "status", "is_demo", "created_at"]
    search_fields = ["brand", "=owner__username", "=request_id"]
    search_help_text = "诊断编号、所有者、品牌或请求编号"
    fieldsets = [
        (None, {"fields": ["number", "brand", "owner", "status", "error_code", "is_demo", "locale", "repeats"]}),
        ("回答", {"fields": ["planned", "valid", "failed", "filtered", "carried_over", "judge_calls"]}),
        ("费用", {"fields": ["estimated_cost", "cost"]}),
        ("时间", {"fields": ["created_at", "started_at", "deadline_at", "finished_at"]}),
        (
            "运行",
            {
                "classes": ["collapse"],
                "fields": ["request_id", "job_id", "run_number", "crashes", "stream", "schedule", "is_imported"],
            },
        ),
    ]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    inlines = [_BrandInline]
    actions = ["cancel", "retry"]
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Diagnosis]:
        """Annotate the diagnoses with their cost."""
        return annotate_cost(super().get_queryset(request), "diagnosis")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the diagnosis with links to its parts, its answers in numbers, and its report."""
        diagnosis = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if diagnosis and self.has_view_permission(request, diagnosis):
            context["links"] = build_links(request, diagnosis)
            context["answer_table"] = build_answer_table(diagnosis)
            context["report_tables"] = build_report_tables(diagnosis)
            context["may_view_answers"] = request.user.has_perm("diagnosis.view_answer")
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description="编号")
    def number(self, diagnosis: Diagnosis) -> str:
        """Return the id, by which the list is searched."""
        return str(diagnosis.pk)

    @admin.display(description="有效 / 失败 / 被拒 / 计划")
    def answer_counts(self, diagnosis: Diagnosis) -> str:
        """Return the numbers of answers by state, and of those that are planned."""
        return f"{diagnosis.valid} / {diagnosis.failed} / {diagnosis.filtered} / {diagnosis.planned}"

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
class AnswerAdmin(DiagnosisSearchMixin, ReadOnlyAdmin[Answer]):
    """Answers of platforms, or the reasons why they are missing."""

    list_display = [
        "asked",
        "platform",
        "repeat",
        "state",
        "content",
        "attempts",
        "cost",
        "milliseconds",
        "answered_at",
    ]
    list_filter = ["state", "reason", "platform", "is_demo"]
    list_select_related = ["platform", "question"]
    search_fields = ["=error_code"]
    search_help_text = "诊断编号或错误代码"
    raw_id_fields = ["diagnosis", "question"]
    show_full_result_count = False
    fieldsets = [
        (None, {"fields": ["diagnosis", "question", "platform", "repeat", "state", "is_demo", "is_carried_over"]}),
        ("回答", {"fields": ["text", "is_truncated", "finish"]}),
        ("没有回答的原因", {"fields": ["reason", "error_code", "error_detail"]}),
        ("调用", {"fields": ["attempts", "milliseconds", "answered_at", "cost"]}),
        (
            "怎么问的",
            {
                "classes": ["collapse"],
                "fields": [
                    *("protocol", "surface", "requested_model", "model", "params_hash", "is_search_forced"),
                    *("search_happened", "search_count", "search_count_basis", "search_errors", "tells_queries"),
                ],
            },
        ),
        (
            "分析",
            {
                "classes": ["collapse"],
                "fields": ["mentions", "others", "discovered", "domains", "matcher_version", "extraction"],
            },
        ),
    ]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Order the answers of a diagnosis as they were asked, and all others by their keys, which is fast."""
        is_of_diagnosis = "diagnosis__exact" in request.GET or len(request.GET.get("q", "")) == len(
            str(uuid.UUID(int=0))
        )
        return ["question__position", "platform__position", "platform", "repeat"] if is_of_diagnosis else ["-pk"]

    @admin.display(description="问题", ordering="question__position")
    def asked(self, answer: Answer) -> str:
        """Return the question, shortened."""
        return Truncator(answer.question.text).chars(60)

    @admin.display(description="回答或原因")
    def content(self, answer: Answer) -> str:
        """Return the text, or why there is none; shortened."""
        if answer.text:
            return Truncator(answer.text).chars(MAX_LISTED_TEXT_CHARACTERS)
        reason = answer.get_reason_display()
        detail = f"（{answer.error_detail}）" if answer.error_detail else ""
        return Truncator(f"{reason}{detail}").chars(MAX_LISTED_TEXT_CHARACTERS) or "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        """Annotate the answers with their cost."""
        return annotate_cost(super().get_queryset(request), "answer")

    @admin.display(description="费用（元）")
    def cost(self, answer: Answer) -> str:
        return format_money(answer.cost)  # type: ignore[attr-defined]


@admin.register(Correction)
class CorrectionAdmin(DiagnosisSearchMixin, ReadOnlyAdmin[Correction]):
    """Corrections by users, which show where known brands lack a decoy or an alias."""

    list_display = ["brand", "kind", "alias", "start", "end", "diagnosis", "created_at"]
    list_filter = ["kind", "created_at"]
    search_fields = ["brand", "alias"]
    list_select_related = ["diagnosis"]
