from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from progress.models import PushProcess, Stream


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Looks, never touches: what programs write, people read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes by hand."""
        return False


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    """Which streams are open and how far they are."""

    list_display = ["id", "owner", "last_seq", "is_closed", "created_at", "closed_at"]
    list_filter = ["is_closed"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"


@admin.register(PushProcess)
class PushProcessAdmin(ReadOnlyAdmin):
    """Connections by serving process."""

    list_display = [
        "name",
        "sockets_open",
        "polls_open",
        "sockets_total",
        "frames_sent",
        "bytes_sent",
        "bytes_received",
        "seen_at",
    ]
