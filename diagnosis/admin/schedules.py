"""Everybody's schedules, to look at, to pause and to resume."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from diagnosis.models import Schedule
from diagnosis.schedules.services import set_paused
from errors.audit import DeleteOnlyAdmin


@admin.register(Schedule)
class ScheduleAdmin(DeleteOnlyAdmin[Schedule]):
    """What runs by itself and what it may spend; users make and change their own."""

    list_display = [
        "brand",
        "owner",
        "every",
        "next_at",
        "is_paused",
        "is_demo",
        "budget_calls",
        "budget_money",
        "skip_reason",
        "last_diagnosis",
    ]
    list_filter = ["is_paused", "every", "skip_reason", "is_demo"]
    search_fields = ["brand", "owner__username"]
    list_select_related = ["owner", "last_diagnosis"]
    actions = ["pause", "resume"]

    @admin.action(description="暂停所选定期诊断", permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Start nothing until they are resumed."""
        self._set_paused(request, queryset.filter(is_paused=False), is_paused=True)

    @admin.action(description="恢复所选定期诊断", permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Go on at the next time of each."""
        self._set_paused(request, queryset.filter(is_paused=True), is_paused=False)

    def _set_paused(self, request: HttpRequest, queryset: QuerySet[Schedule], *, is_paused: bool) -> None:
        changed = [set_paused(schedule, is_paused=is_paused) for schedule in queryset]
        verb = "暂停" if is_paused else "恢复"
        self.message_user(request, f"已{verb} {len(changed)} 个定期诊断。", messages.SUCCESS)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """For the actions above: nobody changes a schedule by hand, so Django's own permission is asked for here."""
        return bool(request.user.has_perm("diagnosis.change_schedule"))
