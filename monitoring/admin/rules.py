"""Rules: edited, tried on what is stored before they are saved, and where each stands."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from errors.audit import AuditedAdmin
from monitoring.admin.rule_form import RuleForm
from monitoring.backtest_chart import chart_of
from monitoring.backtesting import backtest
from monitoring.explaining import in_numbers
from monitoring.models import Rule, RuleState
from monitoring.registry import catalogue
from monitoring.rules import is_untouched

PERIODS = {"1": "1 小时", "24": "24 小时", "168": "7 天"}
RUNBOOKS = Path(settings.BASE_DIR) / "docs" / "runbooks"
_COLOURS = {"ok": "resolved", "firing": "open", "failed": "open", "pending": "acknowledged"}


@admin.register(Rule)
class RuleAdmin(AuditedAdmin[Rule]):
    """Saved rules are in force within 15 s."""

    form = RuleForm
    list_display = ["title", "name", "standing", "last_value", "condition", "severity", "is_enabled", "origin"]
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
        (
            "要有多少证据",
            {
                "fields": [
                    ("window_seconds", "widest_window_seconds"),
                    ("enough_samples", "least_samples"),
                    "confidence",
                    "no_data",
                ]
            },
        ),
        ("何时通知", {"fields": [("for_seconds", "keep_firing_seconds"), ("repeat_seconds", "cooldown_seconds")]}),
        ("通知谁", {"fields": ["runbook_url", "channels"]}),
    ]

    class Media:
        css = {"all": ["monitoring/alerts.css"]}
        js = ["monitoring/label_matchers.js", "monitoring/rule_form.js", "monitoring/form_fragments.js"]

    @admin.display(description="状态", ordering="state__state")
    def standing(self, rule: Rule) -> str:
        """After the last evaluation."""
        state = getattr(rule, "state", None)
        if not rule.is_enabled or state is None or state.evaluated_at is None:
            return format_html('<span class="alert-state" data-state="unknown">{}</span>', "未计算")
        colour = _COLOURS.get(state.state, "unknown")
        return format_html(
            '<span class="alert-state" data-state="{}">{}</span>', colour, RuleState.State(state.state).label
        )

    @admin.display(description="最近的值")
    def last_value(self, rule: Rule) -> str:
        """With its samples."""
        state = getattr(rule, "state", None)
        if state is None or state.value is None:
            return "-"
        count = "" if state.denominator is None else f"（n={state.denominator:.0f}）"
        return in_numbers(rule.kind, state.value, rule.metric) + count

    @admin.display(description="条件")
    def condition(self, rule: Rule) -> str:
        """As people write it."""
        return f"{rule.comparison} {in_numbers(rule.kind, rule.threshold, rule.metric)}"

    @admin.display(description="来历")
    def origin(self, rule: Rule) -> str:
        """Whether a new release may change it."""
        if not rule.seeded:
            return "自建"
        return "随版本" if is_untouched(rule) else "随版本，已修改"

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> list[str]:
        """Silences and alerts know a rule by its name."""
        return ["name"] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new one is off until its backtest has been looked at."""
        return {"is_enabled": False, **super().get_changeform_initial_data(request)}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """With what the script knows of metrics."""
        labels = {one.name: {"labels": one.labels, "kind": one.kind, "help": one.help} for one in catalogue().values()}
        context.update(metrics=labels, periods=PERIODS.items())
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        """Pages of our own before those of the admin."""
        site = self.admin_site
        trial = site.admin_view(require_POST(self.backtest_view))
        return [
            path("backtest/", trial, name="monitoring_rule_backtest_new"),
            path("<int:rule_id>/backtest/", trial, name="monitoring_rule_backtest"),
            path("runbooks/<slug:name>/", site.admin_view(self.runbook_view), name="monitoring_rule_runbook"),
            *super().get_urls(),
        ]

    def backtest_view(self, request: HttpRequest, rule_id: int | None = None) -> HttpResponse:
        """When the form as it stands would have fired. Stores nothing."""
        rule = self.get_object(request, str(rule_id)) if rule_id else None
        is_allowed = self.has_change_permission(request, rule) if rule else self.has_add_permission(request)
        if not is_allowed:
            raise PermissionDenied
        hours = request.POST.get("hours", "24")
        hours = hours if hours in PERIODS else "24"
        form = self.get_form(request, rule, change=rule is not None)(request.POST, instance=rule)
        context: dict[str, Any] = {"form": form, "period": PERIODS[hours], "opts": self.opts}
        if form.is_valid():
            edited: Rule = form.instance
            test = backtest(edited, timezone.now(), timedelta(hours=int(hours)))
            context |= {"test": test, "chart": chart_of(test, edited), "rule": edited, "firings": _rows(test, edited)}
        return TemplateResponse(request, "admin/monitoring/rule/backtest.html", context)

    def runbook_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """What to do when a rule of the release fires; for whoever may see alerts."""
        if not (self.has_view_permission(request) or request.user.has_perm("monitoring.view_alert")):
            raise PermissionDenied
        file = RUNBOOKS / f"{name}.md"
        if not file.is_file():
            raise Http404
        title, _, text = file.read_text().partition("\n")
        context = {**self.admin_site.each_context(request), "title": title.lstrip("# "), "text": text.strip()}
        return TemplateResponse(request, "admin/monitoring/rule/runbook.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """With the states in the same query."""
        return super().get_queryset(request).select_related("state")


def _rows(test: Any, rule: Rule) -> list[dict[str, Any]]:
    return [
        {
            "fired_at": one.fired_at,
            "resolved_at": one.resolved_at,
            "minutes": round(((one.resolved_at or test.end) - one.fired_at).total_seconds() / 60, 1),
            "value": in_numbers(rule.kind, one.measured.value, rule.metric),
            "low": in_numbers(rule.kind, one.measured.low, rule.metric),
            "high": in_numbers(rule.kind, one.measured.high, rule.metric),
            "n": one.measured.denominator,
        }
        for one in test.firings
    ]
