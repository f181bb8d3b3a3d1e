"""Admin of recorded errors: events, and groups of equal errors."""

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from errors.audit import ReadOnlyAdmin
from errors.codes import ErrorCode
from errors.models import ErrorEvent
from errors.statistics import count_shown_errors, get_first_hour, select_counts

GROUP_PERIODS = {"1": "1 小时", "24": "24 小时", "168": "7 天"}
MAX_LISTED_GROUPS = 200


@admin.register(ErrorEvent)
class ErrorEventAdmin(ReadOnlyAdmin[ErrorEvent]):
    """Support finds an event by the reference that the user reads out."""

    list_display = ["created_at", "code", "reference", "outcome", "platform", "exception", "place", "diagnosis_id"]
    list_filter = ["outcome", "code", "platform"]
    search_fields = ["request_id"]
    search_help_text = "用户看到的参考编号（前 8 位）、请求编号、诊断编号或指纹"
    date_hierarchy = "created_at"
    show_full_result_count = False

    @admin.display(description="参考编号")
    def reference(self, event: ErrorEvent) -> str:
        """The part of the request id that the error page shows."""
        return event.request_id[:8]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ErrorEvent], search_term: str
    ) -> tuple[QuerySet[ErrorEvent], bool]:
        """Search by prefix, which uses an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        matches = Q(request_id__startswith=term) | Q(fingerprint=term)
        if len(term) == 36:
            with suppress(ValueError):
                matches |= Q(diagnosis_id=uuid.UUID(term))
        return queryset.filter(matches), False

    def get_urls(self) -> list[URLPattern]:
        own = path("groups/", self.admin_site.admin_view(self.groups_view), name="errors_errorevent_groups")
        return [own, *super().get_urls()]

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """Show the most frequent groups of a period with their newest events."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        hours = request.GET.get("hours", "24")
        hours = hours if hours in GROUP_PERIODS else "24"
        code = request.GET.get("code", "")
        code = code if code in ErrorCode.__members__ else ""
        period = timedelta(hours=int(hours))
        context = {
            **self.admin_site.each_context(request),
            "title": "错误分组",
            "opts": self.opts,
            "groups": list_error_groups(period, code),
            "total": count_shown_errors(period, code),
            "since": get_first_hour(period),
            "code": code,
            "periods": GROUP_PERIODS.items(),
            "hours": hours,
        }
        return TemplateResponse(request, "admin/errors/errorevent/groups.html", context)


def list_error_groups(period: timedelta, code: str = "") -> list[dict[str, Any]]:
    """Return groups by frequency: {code, fingerprint, shown, retried, recovered, last, exception, place, ...}."""
    newest = ErrorEvent.objects.filter(fingerprint=OuterRef("fingerprint")).order_by("-created_at")
    columns: dict[str, Any] = {
        name: Subquery(newest.values(name)[:1]) for name in ("exception", "place", "platform", "request_id")
    }
    by_outcome: dict[str, Any] = {
        outcome: Sum("count", filter=Q(outcome=outcome), default=0) for outcome in ("shown", "retried", "recovered")
    }
    groups = select_counts(period, code).values("code", "fingerprint")
    counted = groups.annotate(total=Sum("count"), last=Max("hour"), **by_outcome, **columns)
    return [dict(group) for group in counted.order_by("-total", "code")[:MAX_LISTED_GROUPS]]
