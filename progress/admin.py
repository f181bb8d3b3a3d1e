from django.contrib import admin

from errors.audit import ReadOnlyAdmin
from progress.models import PushProcess, Stream


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin[Stream]):
    list_display = ["id", "owner", "last_seq", "is_closed", "created_at", "closed_at"]
    list_filter = ["is_closed"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"


@admin.register(PushProcess)
class PushProcessAdmin(ReadOnlyAdmin[PushProcess]):
    """Connections of each server process."""

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
