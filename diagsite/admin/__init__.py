"""The admin pages of the site itself: accounts, feedback, jobs, audit log, failed sign-ins."""

from pathlib import Path
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.views.i18n import JavaScriptCatalog

from diagsite.admin import audit_log, feedback, jobs, sign_ins, users

__all__ = ["audit_log", "feedback", "jobs", "sign_ins", "users"]

admin.site.site_header = "品牌 AI 可见度诊断"
admin.site.site_title = "运营后台"
admin.site.index_title = "运营"


class AdminJavaScriptCatalog(JavaScriptCatalog):
    """The texts of the admin's scripts, with translations that Django lacks."""

    packages = ["django.contrib.admin"]

    def get_paths(self, packages: Any) -> list[Any]:
        """Add the directory of the missing translations."""
        return [*super().get_paths(packages), str(Path(__file__).parent / "locale")]


def _show_script_texts(request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
    return AdminJavaScriptCatalog.as_view()(request)


admin.site.i18n_javascript = _show_script_texts  # type: ignore[method-assign,assignment]
