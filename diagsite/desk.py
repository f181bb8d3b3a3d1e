"""What waits for whom: the first page of the admin shows each operator what their role looks after."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.choices import Status
from diagnosis.models import Diagnosis, Platform
from errors.models import CopyOverride, ErrorCopy, ErrorCount
from monitoring.models import Alert, Channel, Delivery, Silence

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Task:
    """A count with where it leads. is_urgent: somebody should look at it now."""

    title: str
    count: int
    address: str
    is_urgent: bool = False


@dataclass(frozen=True)
class _Kind:
    title: str
    permission: str
    page: str  # admin:...
    query: str
    count: Callable[[], int]
    is_urgent: bool = False  # when it is not nought


def _since_yesterday() -> Any:
    return timezone.now() - DAY


_KINDS = [
    _Kind(
        "未确认的告警",
        "monitoring.view_alert",
        "monitoring_alert",
        "open=unacknowledged",
        lambda: Alert.objects.open().filter(acknowledged_at=None).count(),
        True,
    ),
    _Kind(
        "停用的通知渠道",
        "monitoring.view_channel",
        "monitoring_channel",
        "is_enabled__exact=0",
        lambda: Channel.objects.filter(is_enabled=False).count(),
        True,
    ),
    _Kind(
        "已放弃的通知（24 小时）",
        "monitoring.view_delivery",
        "monitoring_delivery",
        "state__exact=given_up",
        lambda: Delivery.objects.filter(state="given_up", created_at__gt=_since_yesterday()).count(),
        True,
    ),
    _Kind(
        "生效中的静默",
        "monitoring.view_silence",
        "monitoring_silence",
        "",
        lambda: Silence.objects.filter(starts_at__lte=timezone.now(), ends_at__gt=timezone.now()).count(),
    ),
    _Kind(
        "未发布的文案修改",
        "errors.change_errorcopy",
        "errors_errorcopy",
        "has_draft__exact=1",
        lambda: ErrorCopy.objects.filter(has_draft=True).count(),
    ),
    _Kind(
        "生效中的临时文案",
        "errors.view_copyoverride",
        "errors_copyoverride",
        "",
        lambda: CopyOverride.objects.filter(ends_at__gt=timezone.now()).count(),
    ),
    _Kind(
        "用户看到的错误（24 小时）",
        "errors.view_errorevent",
        "errors_errorevent",
        "",
        lambda: ErrorCount.objects.filter(hour__gt=_since_yesterday()).aggregate(sum=Sum("count"))["sum"] or 0,
    ),
    _Kind(
        "运行中的诊断",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis",
        "status__exact=asking",
        lambda: Diagnosis.objects.unfinished().count(),
    ),
    _Kind(
        "未能完成的诊断（24 小时）",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis",
        "status__exact=failed",
        lambda: Diagnosis.objects.filter(status=Status.FAILED, created_at__gt=_since_yesterday()).count(),
        True,
    ),
    _Kind(
        "暂停中的平台",
        "diagnosis.view_platform",
        "diagnosis_platform",
        "",
        lambda: Platform.objects.filter(is_enabled=True, paused_until__gt=timezone.now()).count(),
        True,
    ),
    _Kind(
        "失败的后台任务",
        "procrastinate.view_procrastinatejob",
        "procrastinate_procrastinatejob",
        "status=failed",
        lambda: ProcrastinateJob.objects.filter(status="failed").count(),
        True,
    ),
]


def tasks_of(user: AbstractBaseUser | AnonymousUser) -> list[Task]:
    """What this operator may see, a query each."""
    may: Callable[[str], bool] = getattr(user, "has_perm", lambda _permission: False)
    return [_task(kind) for kind in _KINDS if may(kind.permission)]


def _task(kind: _Kind) -> Task:
    count = kind.count()
    address = reverse(f"admin:{kind.page}_changelist")
    return Task(kind.title, count, f"{address}?{kind.query}" if kind.query else address, kind.is_urgent and count > 0)
