"""The admin pages of feedback, complaints, reports of answers, and of consents."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from diagsite.models import Consent, Feedback
from errors.audit import AuditedAdmin, ReadOnlyAdmin

MAX_LISTED_CHARACTERS = 60


class _HandledFilter(admin.SimpleListFilter):
    title = "状态"
    parameter_name = "handled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "待处理"), ("yes", "已处理")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Feedback]) -> QuerySet[Feedback]:
        return queryset.filter(handled_at__isnull=self.value() == "no") if self.value() else queryset


@admin.register(Feedback)
class FeedbackAdmin(AuditedAdmin[Feedback]):
    """Entries of users, oldest open ones first to handle; the reply is shown to the user."""

    list_display = ["created_at", "kind", "reason", "beginning", "owner", "handled_at"]
    list_filter = [_HandledFilter, "kind", "reason", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["text", "=owner__username", "contact"]
    show_full_result_count = False
    fields = [
        *("created_at", "kind", "reason", "owner", "text", "contact"),
        *("reported_answer", "handled_at", "reply"),
    ]
    readonly_fields = ["created_at", "kind", "reason", "owner", "text", "contact", "reported_answer", "handled_at"]

    @admin.display(description="内容")
    def beginning(self, feedback: Feedback) -> str:
        return feedback.text[:MAX_LISTED_CHARACTERS]

    @admin.display(description="被举报的回答")
    def reported_answer(self, feedback: Feedback) -> SafeString | str:
        """The text of the answer, with a link to its diagnosis."""
        answer = feedback.answer
        if answer is None:
            return "已删除" if feedback.kind == Feedback.Kind.ANSWER else "—"
        url = reverse("admin:diagnosis_diagnosis_change", args=[answer.diagnosis_id])
        return format_html('<p>{}：{}</p><a href="{}">查看诊断</a>', answer.platform_id, answer.text, url)

    def save_model(self, request: HttpRequest, obj: Feedback, form: Any, change: bool) -> None:
        """A saved reply makes the entry handled; without one it is open."""
        obj.handled_at = (obj.handled_at or timezone.now()) if obj.reply.strip() else None
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Feedback | None = None) -> bool:
        return False


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin[Consent]):
    """Who accepted which version of the documents, and when."""

    list_display = ["accepted_at", "owner", "version", "client"]
    list_filter = ["version", "client", "accepted_at"]
    list_select_related = ["owner"]
    search_fields = ["=owner__username"]
    show_full_result_count = False
