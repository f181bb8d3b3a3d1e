"""Alerts: written by programs, acknowledged and commented by operators."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from errors.audit import ReadOnlyAdmin, log_action
from monitoring.alerts.lifecycle import acknowledge_alert, add_note
from monitoring.models import Alert, Rule, Silence
from monitoring.rules.explanations import format_rule_value
from monitoring.rules.rule_query import RULE_SNAPSHOT_FIELDS

ACKNOWLEDGE_PERMISSION = "monitoring.acknowledge_alert"
QUICK_SILENCE_DURATION = timedelta(hours=2)


class OpenFilter(SimpleListFilter):
    """Filter by open and resolved."""

    title = "是否结束"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "未解除"), ("unacknowledged", "未解除且无人确认"), ("no", "已解除")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        """Apply the choice."""
        if self.value() == "no":
            return queryset.exclude(resolved_at=None)
        if self.value() == "unacknowledged":
            return queryset.filter(resolved_at=None, acknowledged_at=None)
        return queryset.filter(resolved_at=None) if self.value() == "yes" else queryset


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    """The alerts with their timelines, deliveries and rule snapshots."""

    list_display = ["title", "state", "severity", "source", "fired_value", "fired_at", "resolved_at", "acknowledged_by"]
    list_filter = [OpenFilter, "severity", "source", "rule"]
    list_select_related = ["acknowledged_by", "rule"]
    search_fields = ["title", "rule_name", "fingerprint"]
    search_help_text = "标题、规则名称或事件标识"
    date_hierarchy = "fired_at"
    actions = ["acknowledge_selected", "silence_selected"]
    change_form_template = "admin/monitoring/alert/change_form.html"

    class Media:
        css = {"all": ["monitoring/alerts.css"]}

    @admin.display(description="状态")
    def state(self, alert: Alert) -> str:
        """Return the state as a coloured badge."""
        if alert.resolved_at:
            kind, text = "resolved", "已解除"
        elif alert.acknowledged_at:
            kind, text = "acknowledged", "已确认"
        else:
            kind, text = "open", "告警中"
        silenced_suffix = "（静默中）" if alert.is_open and alert.held_back_by_id else ""
        return format_html('<span class="alert-state" data-state="{}">{}{}</span>', kind, text, silenced_suffix)

    @admin.display(description="触发时的值")
    def fired_value(self, alert: Alert) -> str:
        """Return the value at which the alert fired."""
        snapshot = alert.rule_as_it_was
        return format_rule_value(snapshot.get("kind", ""), alert.value, snapshot.get("metric", ""))

    def get_urls(self) -> list[URLPattern]:
        """Add the pages for acknowledgements and notes."""
        site = self.admin_site
        own = [
            path(
                "<int:alert_id>/acknowledge/",
                site.admin_view(require_POST(self.acknowledge_view)),
                name="monitoring_alert_acknowledge",
            ),
            path("<int:alert_id>/note/", site.admin_view(require_POST(self.note_view)), name="monitoring_alert_note"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the alert with its timeline, its deliveries and the rule as it was when it fired."""
        alert = Alert.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        context = {"title": "告警", **(extra_context or {})}
        if alert:
            context |= {
                "alert": alert,
                "facts": build_alert_facts(alert),
                "timeline": alert.timeline.select_related("author", "silence"),
                "deliveries": alert.deliveries.select_related("channel"),
                "rule_as_it_was": build_rule_snapshot_rows(alert),
                "can_acknowledge": request.user.has_perm(ACKNOWLEDGE_PERMISSION),
            }
        return super().change_view(request, object_id, form_url, context)

    def acknowledge_view(self, request: HttpRequest, alert_id: int) -> HttpResponse:
        """Acknowledge the alert."""
        alert = self._get_alert_for_action(request, alert_id)
        if acknowledge_alert(alert, _get_user(request), request.POST.get("text", "").strip()):
            log_action(self, request, alert, "确认")
            self.message_user(request, "已确认，不再重复通知。", messages.SUCCESS)
        else:
            self.message_user(request, "这个告警已经解除，或者已经有人确认。", messages.WARNING)
        return redirect(reverse("admin:monitoring_alert_change", args=[alert_id]))

    def note_view(self, request: HttpRequest, alert_id: int) -> HttpResponse:
        """Add a note to the timeline."""
        alert = self._get_alert_for_action(request, alert_id)
        text = request.POST.get("text", "").strip()
        if text:
            add_note(alert, text, author=_get_user(request))
            log_action(self, request, alert, "记录了一条说明")
            self.message_user(request, "已记录。", messages.SUCCESS)
        else:
            self.message_user(request, "请先写下内容。", messages.WARNING)
        return redirect(reverse("admin:monitoring_alert_change", args=[alert_id]))

    def _get_alert_for_action(self, request: HttpRequest, alert_id: int) -> Alert:
        if not request.user.has_perm(ACKNOWLEDGE_PERMISSION):
            raise PermissionDenied
        return get_object_or_404(Alert, pk=alert_id)

    @admin.action(description="确认所选告警", permissions=["acknowledge"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Acknowledge the selected alerts."""
        count = sum(acknowledge_alert(alert, _get_user(request)) for alert in queryset)
        self.message_user(request, f"已确认 {count} 个告警。", messages.SUCCESS)

    @admin.action(description="静默所选告警的规则两小时", permissions=["silence"])
    def silence_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Create one silence for the rules of the selected alerts."""
        rules = sorted({alert.rule_name for alert in queryset})
        silence = Silence.objects.create(
            comment="、".join(rules)[:200],
            matchers=[{"label": "rule", "op": "=", "values": rules}],
            starts_at=timezone.now(),
            ends_at=timezone.now() + QUICK_SILENCE_DURATION,
            author_id=_get_user(request).pk,
        )
        page = reverse("admin:monitoring_silence_change", args=[silence.pk])
        self.message_user(request, format_html('已静默两小时：<a href="{}">{}</a>。', page, silence), messages.SUCCESS)

    def has_silence_permission(self, request: HttpRequest) -> bool:
        """Permission of the silence action."""
        return bool(request.user.has_perm("monitoring.add_silence"))

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        """Permission of the acknowledge action."""
        return bool(request.user.has_perm(ACKNOWLEDGE_PERMISSION))


def _get_user(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


def build_alert_facts(alert: Alert) -> list[tuple[str, Any]]:
    """Return (name, value) of the non-empty fields of an alert."""
    kind, metric = alert.rule_as_it_was.get("kind", ""), alert.rule_as_it_was.get("metric", "")
    value = format_rule_value(kind, alert.value, metric)
    if kind in ("ratio", "mean") and alert.low is not None:
        value += (
            f"（区间 {format_rule_value(kind, alert.low, metric)} 至 {format_rule_value(kind, alert.high, metric)}）"
        )
    counts = "" if alert.denominator is None else f"{alert.numerator:.6g} / {alert.denominator:.6g}"
    facts = [
        ("级别", alert.get_severity_display()),
        ("来源", alert.get_source_display()),
        ("经过", alert.summary),
        ("触发时的值", "" if alert.value is None else value),
        ("分子 / 分母", counts),
        ("标签", "，".join(f"{name}={label}" for name, label in sorted(alert.labels.items()))),
        ("触发时间", alert.fired_at),
        ("解除时间", alert.resolved_at),
        ("最近通知", alert.notified_at),
        ("确认人", alert.acknowledged_by),
        ("确认时间", alert.acknowledged_at),
        ("被静默", alert.held_back_by),
        ("事件标识", alert.fingerprint),
    ]
    return [(name, value) for name, value in facts if value not in (None, "")]


def build_rule_snapshot_rows(alert: Alert) -> list[tuple[str, str]]:
    """Return (name, value) of the rule's fields when it fired."""
    fields = {field.name: field for field in Rule._meta.fields}
    snapshot = alert.rule_as_it_was
    rows = []
    for name in RULE_SNAPSHOT_FIELDS:
        field, value = fields.get(name), snapshot.get(name)
        if field is None or value in (None, "", []):
            continue
        if isinstance(value, bool):
            text = "是" if value else "否"
        elif isinstance(value, list):
            text = "；".join(f"{matcher['label']} {matcher['op']} {'、'.join(matcher['values'])}" for matcher in value)
        else:
            text = str(dict(field.flatchoices).get(value, value))
        rows.append((str(field.verbose_name), text))
    return rows
