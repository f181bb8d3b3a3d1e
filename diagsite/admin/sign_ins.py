"""Who was kept out for guessing, and how to let somebody in again."""

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest


@admin.register(AccessAttempt)
class AccessAttemptAdmin(admin.ModelAdmin[Any]):
    """Deleting an entry lifts its pause."""

    list_display = ["username", "ip_address", "failures_since_start", "attempt_time"]
    search_fields = ["=username", "=ip_address"]
    ordering = ["-attempt_time"]
    fields = ["username", "ip_address", "user_agent", "path_info", "failures_since_start", "attempt_time"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Failures write them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened stays as it was."""
        return False
