"""Who was kept out for guessing, and how to let somebody in again."""

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin

from errors.audit import DeleteOnlyAdmin

AccessAttempt._meta.verbose_name = AccessAttempt._meta.verbose_name_plural = "登录失败"


@admin.register(AccessAttempt)
class AccessAttemptAdmin(DeleteOnlyAdmin[Any]):
    """Deleting an entry lifts its pause."""

    list_display = ["account", "address", "failures", "latest"]
    search_fields = ["=username", "=ip_address"]
    ordering = ["-attempt_time"]
    fields = ["account", "address", "browser", "failures", "latest"]
    readonly_fields = ["account", "address", "browser", "failures", "latest"]

    @admin.display(description="账号", ordering="username")
    def account(self, attempt: Any) -> str:
        """As it was typed."""
        return str(attempt.username)

    @admin.display(description="地址", ordering="ip_address")
    def address(self, attempt: Any) -> str:
        """Where it came from."""
        return attempt.ip_address or "—"

    @admin.display(description="浏览器")
    def browser(self, attempt: Any) -> str:
        """What it says it is."""
        return str(attempt.user_agent)

    @admin.display(description="失败次数", ordering="failures_since_start")
    def failures(self, attempt: Any) -> int:
        """Since the last success or pause."""
        return int(attempt.failures_since_start)

    @admin.display(description="最近一次", ordering="attempt_time")
    def latest(self, attempt: Any) -> Any:
        """When the pause began, if it has."""
        return attempt.attempt_time
