"""Alert messages: whether each was delivered, and why not."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from errors.audit import AuditedAdmin
from monitoring.delivery.messages import Message
from monitoring.models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(AuditedAdmin[Delivery]):
    """Read-only; abandoned messages can be sent again."""

    list_display = [
        "number",
        "headline",
        "channel",
        "state",
        "attempts",
        "trouble",
        "created_at",
        "sent_at",
    ]
    list_filter = ["state", "channel", "kind", "created_at"]
    list_select_related = ["channel"]
    search_fields = ["=number", "=alert__pk", "reason"]
    actions = ["try_again"]
    fields = [
        "number",
        "alert",
        "kind",
        "channel",
        "state",
        "attempts",
        "provider_code",
        "reason",
        "due_at",
        "created_at",
        "sent_at",
        "instead_of",
        "text",
    ]

    @admin.display(description="消息")
    def headline(self, delivery: Delivery) -> str:
        """Return the first line of the message."""
        return Message.from_dict(delivery.message).headline(delivery.number)

    @admin.display(description="原因")
    def trouble(self, delivery: Delivery) -> str:
        """Return a shortened reason why it was not delivered."""
        return Truncator(delivery.reason).chars(60) or "—"

    @admin.display(description="全文")
    def text(self, delivery: Delivery) -> str:
        """Return the message as plain text."""
        return Message.from_dict(delivery.message).to_text(delivery.number)

    @admin.action(description="再试一次（只对已放弃的）", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Enqueue abandoned messages again, under the same number."""
        given_up = queryset.filter(state=Delivery.State.GIVEN_UP)
        count = given_up.update(state=Delivery.State.WAITING, attempts=0, due_at=timezone.now())
        self.message_user(request, f"{count} 条消息将再次发送。", messages.SUCCESS if count else messages.WARNING)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Permission of the retry action."""
        return bool(request.user.has_perm("monitoring.change_delivery"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Alerts write them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The sender writes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They go with their alert or their channel."""
        return False
