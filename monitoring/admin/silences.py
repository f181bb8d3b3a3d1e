"""Silences: a preview shows the matching alerts. One that has started can be ended, but not deleted."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from errors.admin_filters import PeriodFilter
from errors.audit import AuditedAdmin
from monitoring.admin.rule_form import MatchersWidget
from monitoring.alerts.silences import find_matching_alerts, is_silence_active
from monitoring.label_matchers import validate_matchers
from monitoring.models import Alert, Silence


class SilenceForm(forms.ModelForm[Silence]):
    """Matchers and weekly windows, which scripts turn into rows of fields."""

    class Meta:
        model = Silence
        fields = "__all__"
        widgets = {
            "matchers": MatchersWidget(),
            "weekly": forms.Textarea({"rows": 3, "cols": 80, "data-weekly": "yes"}),
        }
        help_texts = {
            "matchers": "全部满足才静默；标签可用 rule、severity、source 和告警自己的标签。没有条件则静默所有告警",
            "weekly": "没有时段则为整个时间；结束不晚于开始的，到第二天为止",
        }


@admin.register(Silence)
class SilenceAdmin(AuditedAdmin[Silence]):
    """Which alerts are silenced, and until when."""

    form = SilenceForm
    list_display = ["comment", "state", "starts_at", "ends_at", "author", "silenced_count"]
    list_filter = [PeriodFilter]
    list_select_related = ["author"]
    search_fields = ["comment"]
    readonly_fields = ["author", "open_alerts"]
    fields = ["comment", "matchers", ("starts_at", "ends_at"), "weekly", "author", "open_alerts"]
    actions = ["end_now"]
    change_form_template = "admin/monitoring/silence/change_form.html"

    class Media:
        css = {"all": ["monitoring/alerts.css"]}
        js = ["monitoring/label_matchers.js", "monitoring/weekly_windows.js", "monitoring/form_fragments.js"]

    @admin.display(description="状态")
    def state(self, silence: Silence) -> str:
        """Return the state as a coloured badge."""
        now = timezone.now()
        if silence.ends_at <= now:
            kind, text = "unknown", "已结束"
        elif is_silence_active(silence, now):
            kind, text = "acknowledged", "生效中"
        else:
            kind, text = "resolved", "未开始" if silence.starts_at > now else "不在时段内"
        return format_html('<span class="alert-state" data-state="{}">{}</span>', kind, text)

    @admin.display(description="压下的通知")
    def silenced_count(self, silence: Silence) -> int:
        """Return the number of suppressed notifications."""
        return silence.notes.count()

    @admin.display(description="现在匹配的告警")
    def open_alerts(self, silence: Silence) -> str:
        """Return the open alerts that the stored matchers match."""
        if silence.pk is None or validate_matchers(silence.matchers):
            return "-"
        return "；".join(map(str, find_matching_alerts(silence.matchers, Alert.objects.open()))) or "没有"

    def get_urls(self) -> list[URLPattern]:
        """Add the preview."""
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", view, name="monitoring_silence_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show the open alerts that the matchers in the form match. Stores nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        alerts = find_matching_alerts(form.cleaned_data["matchers"], Alert.objects.open()) if form.is_valid() else []
        context = {"form": form, "alerts": alerts}
        return TemplateResponse(request, "admin/monitoring/silence/preview.html", context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Two hours, for one rule if the URL names it."""
        now = timezone.now()
        rule = request.GET.get("rule")
        matchers = [{"label": "rule", "op": "=", "values": [rule]}] if rule else []
        return {"starts_at": now, "ends_at": now + timedelta(hours=2), "matchers": matchers}

    def save_model(self, request: HttpRequest, obj: Silence, form: Any, change: bool) -> None:
        """Store the author."""
        obj.author_id = obj.author_id or cast(AbstractBaseUser, request.user).pk
        super().save_model(request, obj, form, change)

    @admin.action(description="立即结束所选静默", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        """End silences; their suppressed notifications are summarized within seconds."""
        now = timezone.now()
        ended = queryset.filter(starts_at__lt=now, ends_at__gt=now).update(ends_at=now)
        self.message_user(request, f"已结束 {ended} 个静默，压下的通知随即汇总发出。", messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: Silence | None = None) -> bool:
        """A silence that has started may have suppressed notifications, which are summarized when it ends."""
        if obj is None or obj.starts_at > timezone.now():
            return super().has_delete_permission(request, obj)
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Remove the bulk deletion."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
