"""The admin page of jobs: procrastinate's own, in Chinese and without inline styles.

procrastinate's models are read-only; the permission `change` allows to retry and to cancel.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from procrastinate import jobs
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from errors.audit import AuditedAdmin

JOB_STATUS_LABELS = {
    "todo": "等待",
    "doing": "进行中",
    "succeeded": "成功",
    "failed": "失败",
    "cancelled": "已取消",
    "aborting": "正在中止",
    "aborted": "已中止",
}
JOB_EVENT_LABELS = {
    "deferred": "加入队列",
    "started": "开始",
    "deferred_for_retry": "稍后重试",
    "failed": "失败",
    "succeeded": "成功",
    "cancelled": "已取消",
    "abort_requested": "请求中止",
    "aborted": "已中止",
    "scheduled": "已排定",
}
JOB_FIELDS = ["number", "task", "status_label", "queue", "tried", "due", "arguments"]
MAX_ARGUMENTS_CHARACTERS = 2000


def _build_filter(title: str, labels: Mapping[str, str] | None = None) -> type[admin.AllValuesFieldListFilter]:
    """Build a filter by the existing values, with a title and labels of its own."""

    class Filter(admin.AllValuesFieldListFilter):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = title

        def choices(self, changelist: Any) -> Iterator[Any]:
            for choice in super().choices(changelist):
                display = str(choice["display"])
                yield {**choice, "display": (labels or {}).get(display, display)}

    return Filter


class _EventInline(admin.TabularInline[ProcrastinateEvent, ProcrastinateJob]):
    model = ProcrastinateEvent
    verbose_name_plural = "经过"
    fields = ["what", "when"]
    readonly_fields = ["what", "when"]
    extra = 0
    can_delete = False

    @admin.display(description="事件")
    def what(self, event: ProcrastinateEvent) -> str:
        return JOB_EVENT_LABELS.get(event.type, event.type)

    @admin.display(description="时间")
    def when(self, event: ProcrastinateEvent) -> Any:
        return event.at

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


admin.site.unregister(ProcrastinateJob)
ProcrastinateJob._meta.verbose_name = ProcrastinateJob._meta.verbose_name_plural = "任务"


@admin.register(ProcrastinateJob)
class JobAdmin(AuditedAdmin[ProcrastinateJob], ProcrastinateJobAdmin):
    """Waiting, running and finished jobs."""

    list_display = [*JOB_FIELDS]
    fields = [*JOB_FIELDS, "order"]
    list_filter = [
        ("status", _build_filter("状态", JOB_STATUS_LABELS)),
        ("queue_name", _build_filter("队列")),
        ("task_name", _build_filter("任务")),
    ]
    show_full_result_count = False
    inlines = [_EventInline]
    actions = ["retry_chosen", "cancel_chosen"]

    def get_readonly_fields(self, request: HttpRequest, obj: ProcrastinateJob | None = None) -> list[str]:
        """All fields."""
        return [*JOB_FIELDS, "order"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProcrastinateJob]:
        """Skip procrastinate's prefetch of events, which this list does not show."""
        return admin.ModelAdmin.get_queryset(self, request)

    @admin.display(description="编号", ordering="pk")
    def number(self, job: ProcrastinateJob) -> int:
        return int(job.pk)

    @admin.display(description="任务", ordering="task_name")
    def task(self, job: ProcrastinateJob) -> str:
        return str(job.task_name)

    @admin.display(description="状态", ordering="status")
    def status_label(self, job: ProcrastinateJob) -> str:
        return JOB_STATUS_LABELS.get(job.status, job.status)

    @admin.display(description="队列", ordering="queue_name")
    def queue(self, job: ProcrastinateJob) -> str:
        return str(job.queue_name)

    @admin.display(description="已试次数", ordering="attempts")
    def tried(self, job: ProcrastinateJob) -> int:
        return int(job.attempts)

    @admin.display(description="不早于", ordering="scheduled_at")
    def due(self, job: ProcrastinateJob) -> Any:
        return job.scheduled_at

    @admin.display(description="优先级", ordering="priority")
    def order(self, job: ProcrastinateJob) -> int:
        return int(job.priority)

    @admin.display(description="参数")
    def arguments(self, job: ProcrastinateJob) -> str:
        return format_html("<code>{}</code>", json.dumps(job.args, ensure_ascii=False)[:MAX_ARGUMENTS_CHARACTERS])

    @admin.action(description="重试所选任务（仅失败的和进行中的）", permissions=["steer"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[ProcrastinateJob]) -> None:
        stuck = queryset.filter(status__in=[jobs.Status.FAILED.value, jobs.Status.DOING.value])
        count = stuck.count()
        self.retry(request, stuck)
        self.message_user(request, f"已重试 {count} 个任务。", messages.SUCCESS)

    @admin.action(description="取消所选任务（仅等待的）", permissions=["steer"])
    def cancel_chosen(self, request: HttpRequest, queryset: QuerySet[ProcrastinateJob]) -> None:
        waiting = queryset.filter(status=jobs.Status.TODO.value)
        count = waiting.count()
        self.cancel(request, waiting)
        self.message_user(request, f"已取消 {count} 个任务。", messages.SUCCESS)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("procrastinate.change_procrastinatejob"))
