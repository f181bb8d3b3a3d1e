"""Alert rules: their state, a form, and a backtest of the form on the stored samples."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST
from markdown_it import MarkdownIt

from errors.audit import AuditedAdmin
from monitoring.admin.rule_form import RuleForm
from monitoring.instrumentation.registry import get_metrics
from monitoring.models import Rule, RuleState
from monitoring.rules.backtest import run_backtest
from monitoring.rules.backtest_chart import build_backtest_chart
from monitoring.rules.defaults import is_unmodified
from monitoring.rules.explanations import format_rule_value

BACKTEST_PERIODS = {"1": "1 小时", "24": "24 小时", "168": "7 天"}
RUNBOOK_DIRECTORY = Path(settings.BASE_DIR) / "docs" / "runbooks"
_MARKDOWN = MarkdownIt("js-default")
_STATE_COLOURS = {"ok": "resolved", "firing": "open", "failed": "open", "pending": "acknowledged"}


@admin.register(Rule)
class RuleAdmin(AuditedAdmin[Rule]):
    """Saved rules take effect within 15 s."""

    form = RuleForm
    list_display = ["title", "name", "state_badge", "last_value", "condition", "severity", "is_enabled", "origin"]
    list_filter = ["is_enabled", "severity", "kind", "state__state"]
    list_select_related = ["state"]
    search_fields = ["name", "title", "metric"]
    filter_horizontal = ["channels"]
    change_form_template = "admin/monitoring/rule/change_form.html"
    fieldsets = [
        (None, {"fields": [("name", "is_enabled"), ("title", "title_en"), "description", "severity"]}),
        (
            "条件",
            {
                "fields": [
                    ("kind", "comparison"),
                    "metric",
                    "matchers",
                    "denominator",
                    "denominator_matchers",
                    ("threshold", "resolve_threshold"),
                    "includes_demo",
                ]
            },
        ),
        ("灵敏度", {"fields": ["preset"]}),
        (
            "高级",
            {
                "classes": ["collapse"],
                "fields": [
                    ("window_seconds", "widest_window_seconds"),
                    ("enough_samples", "least_samples"),
                    ("evidence_days", "confidence"),
                    ("for_seconds", "keep_firing_seconds"),
                    ("repeat_seconds", "cooldown_seconds"),
                    "no_data",
                    "inhibited_by",
                ],
            },
        ),
        ("通知谁", {"fields": ["runbook_url", "channels"]}),
    ]

    class Media:
        css = {"all": ["monitoring/alerts.css"]}
        js = ["monitoring/label_matchers.js", "monitoring/rule_form.js", "monitoring/form_fragments.js"]

    @admin.display(description="状态", ordering="state__state")
    def state_badge(self, rule: Rule) -> str:
        """Return the state after the last evaluation as a coloured badge."""
        state = getattr(rule, "state", None)
        if not rule.is_enabled or state is None or state.evaluated_at is None:
            return format_html('<span class="alert-state" data-state="unknown">{}</span>', "未计算")
        colour = _STATE_COLOURS.get(state.state, "unknown")
        return format_html(
            '<span class="alert-state" data-state="{}">{}</span>', colour, RuleState.State(state.state).label
        )

    @admin.display(description="最近的值")
    def last_value(self, rule: Rule) -> str:
        """Return the value of the last evaluation with its number of samples."""
        state = getattr(rule, "state", None)
        if state is None or state.value is None:
            return "-"
        count = "" if state.denominator is None else f"（n={state.denominator:.0f}）"
        return format_rule_value(rule.kind, state.value, rule.metric) + count

    @admin.display(description="条件")
    def condition(self, rule: Rule) -> str:
        """Return comparison and threshold."""
        return f"{rule.comparison} {format_rule_value(rule.kind, rule.threshold, rule.metric)}"

    @admin.display(description="来历")
    def origin(self, rule: Rule) -> str:
        """Return whether the rule is a default one that a new release may update."""
        if not rule.seeded:
            return "自建"
        return "随版本" if is_unmodified(rule) else "随版本，已修改"

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> list[str]:
        """The name is fixed, because silences and alerts refer to it."""
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        """Save, and say that a rule which is off does nothing."""
        super().save_model(request, obj, form, change)
        if not obj.is_enabled:
            self.message_user(request, f"“{obj}”没有启用，不会计算，也不会告警。", messages.WARNING)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the metrics and their labels for the script."""
        metrics = {
            metric.name: {"labels": metric.labels, "kind": metric.kind, "help": metric.help}
            for metric in get_metrics().values()
        }
        context.update(metrics=metrics, periods=BACKTEST_PERIODS.items())
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """Add backtests and runbooks."""
        site = self.admin_site
        backtest_view = site.admin_view(require_POST(self.backtest_view))
        return [
            path("backtest/", backtest_view, name="monitoring_rule_backtest_new"),
            path("<int:rule_id>/backtest/", backtest_view, name="monitoring_rule_backtest"),
            path("runbooks/<slug:name>/", site.admin_view(self.runbook_view), name="monitoring_rule_runbook"),
            *super().get_urls(),
        ]

    def backtest_view(self, request: HttpRequest, rule_id: int | None = None) -> HttpResponse:
        """Show when the rule in the form would have fired. Stores nothing."""
        rule = self.get_object(request, str(rule_id)) if rule_id else None
        is_allowed = self.has_change_permission(request, rule) if rule else self.has_add_permission(request)
        if not is_allowed:
            raise PermissionDenied
        hours = request.POST.get("hours", "24")
        hours = hours if hours in BACKTEST_PERIODS else "24"
        form = self.get_form(request, rule, change=rule is not None)(request.POST, instance=rule)
        context: dict[str, Any] = {"form": form, "period": BACKTEST_PERIODS[hours], "opts": self.opts}
        if form.is_valid():
            edited: Rule = form.instance
            backtest = run_backtest(edited, timezone.now(), timedelta(hours=int(hours)))
            firings = [
                {
                    "fired_at": firing.fired_at,
                    "resolved_at": firing.resolved_at,
                    "minutes": round(((firing.resolved_at or backtest.end) - firing.fired_at).total_seconds() / 60, 1),
                    "value": format_rule_value(edited.kind, firing.measurement.value, edited.metric),
                    "low": format_rule_value(edited.kind, firing.measurement.low, edited.metric),
                    "high": format_rule_value(edited.kind, firing.measurement.high, edited.metric),
                    "n": firing.measurement.denominator,
                }
                for firing in backtest.firings
            ]
            chart = build_backtest_chart(backtest, edited)
            context |= {"test": backtest, "chart": chart, "rule": edited, "firings": firings}
        return TemplateResponse(request, "admin/monitoring/rule/backtest.html", context)

    def runbook_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the runbook of a default rule to users who may view rules or alerts."""
        if not (self.has_view_permission(request) or request.user.has_perm("monitoring.view_alert")):
            raise PermissionDenied
        file = RUNBOOK_DIRECTORY / f"{name}.md"
        if not file.is_file():
            raise Http404
        title, _, text = file.read_text().partition("\n")
        content = mark_safe(_MARKDOWN.render(text))  # a file of the release; raw HTML in it is escaped
        context = {**self.admin_site.each_context(request), "title": title.lstrip("# "), "content": content}
        context["may_view_rules"] = self.has_view_permission(request)
        return TemplateResponse(request, "admin/monitoring/rule/runbook.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Load the states in the same query."""
        return super().get_queryset(request).select_related("state")
