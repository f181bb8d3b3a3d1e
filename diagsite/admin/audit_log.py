"""The audit log of the admin, read-only; diagsite/operations/retention.py prunes it."""

import json

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from errors.audit import ReadOnlyAdmin
from errors.edit_conflicts import VALUES_KEY


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    """The latest entries first, with old and new values."""

    list_display = ["action_time", "user", "content_type", "object_repr", "message", "values"]
    list_filter = [
        "action_flag",
        ("user", admin.RelatedOnlyFieldListFilter),
        ("content_type", admin.RelatedOnlyFieldListFilter),
        "action_time",
    ]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "=object_id", "=user__username"]
    date_hierarchy = "action_time"
    show_full_result_count = False
    fields = ["action_time", "user", "action_flag", "content_type", "object_id", "object_repr", "message", "values"]

    @admin.display(description="内容")
    def message(self, entry: LogEntry) -> str:
        """The message as text."""
        return entry.get_change_message()

    @admin.display(description="由何变为何")
    def values(self, entry: LogEntry) -> SafeString | str:
        """The old and new values, one line per field."""
        changes = parse_changes(entry)
        return format_html_join("", "<div>{}：{} → {}</div>", [(name, old, new) for name, (old, new) in changes]) or "—"


def parse_changes(entry: LogEntry) -> list[tuple[str, tuple[str, str]]]:
    """Return (field, (old value, new value)) of an entry."""
    try:
        message = json.loads(entry.change_message)
    except ValueError:
        return []
    actions = [action for action in message if isinstance(action, dict)] if isinstance(message, list) else []
    parts = [part for action in actions for part in action.values() if isinstance(part, dict)]
    return [(name, (old, new)) for part in parts for name, (old, new) in part.get(VALUES_KEY, {}).items()]
