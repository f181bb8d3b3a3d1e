"""The dashboard: metrics, health and alerts over an hour, a day or a week."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from monitoring.dashboard.context import build_dashboard_context, build_live_config
from monitoring.dashboard.metric_history import TIME_RANGES
from monitoring.models import Dashboard

DEFAULT_TIME_RANGE = "1h"


@admin.register(Dashboard)
class DashboardAdmin(admin.ModelAdmin[Dashboard]):
    """One page instead of a list of rows, for all staff."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Listed for staff."""
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """Seen by staff; there is no row to be seen by itself."""
        return obj is None and self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is no row to add."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """There is no row to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Dashboard | None = None) -> bool:
        """There is no row to delete."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Render the page; with `?part=1` only the part that the script replaces."""
        span = request.GET.get("span", "")
        span = span if span in TIME_RANGES else DEFAULT_TIME_RANGE
        if "part" in request.GET:
            response = TemplateResponse(request, "admin/monitoring/dashboard_part.html", build_dashboard_context(span))
        else:
            context = {
                "live": build_live_config(span),  # first, so that no event during the other queries is missed
                **build_dashboard_context(span),
                **self.admin_site.each_context(request),
                "title": _("监控面板"),
                "opts": self.opts,
            }
            response = TemplateResponse(request, "admin/monitoring/dashboard.html", context)
        add_never_cache_headers(response)
        return response
