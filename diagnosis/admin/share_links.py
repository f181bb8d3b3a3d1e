"""Operators see which links were given out, and can revoke them."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from diagnosis.models import ShareLink
from errors.audit import DeleteOnlyAdmin


@admin.register(ShareLink)
class ShareLinkAdmin(DeleteOnlyAdmin[ShareLink]):
    """Looked at and revoked; the address itself is shown to nobody but who may see the diagnosis."""

    list_display = ["diagnosis", "created_by", "created_at", "expires_at", "revoked_at", "opens"]
    list_filter = ["created_at", "expires_at"]
    list_select_related = ["diagnosis", "created_by"]
    actions = ["revoke"]

    @admin.action(description="撤销所选链接", permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        """Nobody opens them any more."""
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"已撤销 {count} 个链接。", messages.SUCCESS)
