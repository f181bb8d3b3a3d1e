"""The admin page of schedules, which operators can pause and resume."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from diagnosis.models import Schedule
from diagnosis.schedules.services import set_paused
from diagnosis.spending.overview import format_money
from errors.audit import DeleteOnlyAdmin


@admin.register(Schedule)
class ScheduleAdmin(DeleteOnlyAdmin[Schedule]):
    """Schedules with their budgets; only their owners create and change them."""

    list_display = [
        "brand",
        "owner",
        "every",
        "next_run",
        "wait_reason",
        "is_paused",
        "budget",
        "skip_reason",
        "last_diagnosis",
    ]
    list_filter = ["is_paused", "every", "skip_reason", "is_demo"]
    search_fields = ["brand", "owner__username"]
    list_select_related = ["owner", "last_diagnosis"]
    actions = ["pause", "resume"]

    @admin.display(description="每月预算（次数 / 元）")
    def budget(self, schedule: Schedule) -> str:
        """Return the most calls and the most money of a month."""
        return f"{schedule.budget_calls} / {format_money(schedule.budget_money)}"

    @admin.display(description="下次运行", ordering="next_at")
    def next_run(self, schedule: Schedule) -> str:
        """Return the next run in the zone of the schedule's time, with its name."""
        return f"{timezone.localtime(schedule.next_at):%Y-%m-%d %H:%M}（{timezone.get_default_timezone_name()}）"

    @admin.action(description="暂停所选定期诊断", permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._set_paused(request, queryset.filter(is_paused=False), is_paused=True)

    @admin.action(description="恢复所选定期诊断", permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._set_paused(request, queryset.filter(is_paused=True), is_paused=False)

    def _set_paused(self, request: HttpRequest, queryset: QuerySet[Schedule], *, is_paused: bool) -> None:
        changed = [set_paused(schedule, is_paused=is_paused) for schedule in queryset]
        verb = "暂停" if is_paused else "恢复"
        self.message_user(request, f"已{verb} {len(changed)} 个定期诊断。", messages.SUCCESS)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Allow the actions with Django's change permission, although the form itself is read-only."""
        return bool(request.user.has_perm("diagnosis.change_schedule"))
