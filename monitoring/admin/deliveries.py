"""Every message: whether it has arrived, and if not, why not."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from errors.audit import ReadOnlyAdmin
from monitoring.delivery.messages import Message
from monitoring.models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """To look at; what was given up can be tried again."""

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
        """Its first line."""
        return Message.from_dict(delivery.message).headline(delivery.number)

    @admin.display(description="原因")
    def trouble(self, delivery: Delivery) -> str:
        """Why it has not arrived, in short."""
        return Truncator(delivery.reason).chars(60) or "—"

    @admin.display(description="全文")
    def text(self, delivery: Delivery) -> str:
        """All of it, as e-mail has it."""
        return Message.from_dict(delivery.message).text(delivery.number)

    @admin.action(description="再试一次（只对已放弃的）", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """As if it had just been written; its number stays."""
        given_up = queryset.filter(state=Delivery.State.GIVEN_UP)
        count = given_up.update(state=Delivery.State.WAITING, attempts=0, due_at=timezone.now())
        self.message_user(request, f"{count} 条消息将再次发送。", messages.SUCCESS if count else messages.WARNING)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """For the action above."""
        return bool(request.user.has_perm("monitoring.change_delivery"))
