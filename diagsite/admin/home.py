"""The to-do items of the admin home page, by the permissions of the operator."""

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

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagsite.models import Feedback
from errors.models import CopyOverride, ErrorCopy, ErrorCount
from monitoring.models import Alert, Channel, Delivery, RuleState, Silence

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TodoItem:
    """A count with the URL of its list."""

    title: str
    count: int
    address: str
    is_urgent: bool = False


@dataclass(frozen=True)
class _TodoSpec:
    title: str
    permission: str
    model_path: str  # app_model
    query: str
    count: Callable[[], int]
    is_urgent: bool = False  # if the count is not zero


def _get_one_day_ago() -> Any:
    return timezone.now() - ONE_DAY


_TODO_SPECS = [
    _TodoSpec(
        "未确认的告警",
        "monitoring.view_alert",
        "monitoring_alert",
        "open=unacknowledged",
        lambda: Alert.objects.open().filter(acknowledged_at=None).count(),
        True,
    ),
    _TodoSpec(
        "没有可用的通知渠道",
        "monitoring.view_channel",
        "monitoring_channel",
        "",
        lambda: int(not Channel.objects.filter(is_enabled=True).exists()),
        True,
    ),
    _TodoSpec(
        "无法计算的告警规则",
        "monitoring.view_rule",
        "monitoring_rule",
        "state__state__exact=failed",
        lambda: RuleState.objects.filter(state=RuleState.State.FAILED, rule__is_enabled=True).count(),
        True,
    ),
    _TodoSpec(
        "停用的通知渠道",
        "monitoring.view_channel",
        "monitoring_channel",
        "is_enabled__exact=0",
        lambda: Channel.objects.filter(is_enabled=False).count(),
        True,
    ),
    _TodoSpec(
        "已放弃的通知（24 小时）",
        "monitoring.view_delivery",
        "monitoring_delivery",
        "state__exact=given_up",
        lambda: Delivery.objects.filter(state="given_up", created_at__gt=_get_one_day_ago()).count(),
        True,
    ),
    _TodoSpec(
        "生效中的静默",
        "monitoring.view_silence",
        "monitoring_silence",
        "",
        lambda: Silence.objects.filter(starts_at__lte=timezone.now(), ends_at__gt=timezone.now()).count(),
    ),
    _TodoSpec(
        "未发布的文案修改",
        "errors.change_errorcopy",
        "errors_errorcopy",
        "has_draft__exact=1",
        lambda: ErrorCopy.objects.filter(has_draft=True).count(),
    ),
    _TodoSpec(
        "生效中的临时文案",
        "errors.view_copyoverride",
        "errors_copyoverride",
        "",
        lambda: CopyOverride.objects.filter(ends_at__gt=timezone.now()).count(),
    ),
    _TodoSpec(
        "用户看到的错误（24 小时）",
        "errors.view_errorevent",
        "errors_errorevent",
        "",
        lambda: ErrorCount.objects.filter(hour__gt=_get_one_day_ago()).aggregate(sum=Sum("count"))["sum"] or 0,
    ),
    _TodoSpec(
        "待处理的反馈与投诉",
        "diagsite.view_feedback",
        "diagsite_feedback",
        "handled=no",
        lambda: Feedback.objects.filter(handled_at=None).count(),
        True,
    ),
    _TodoSpec(
        "运行中的诊断",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis",
        "status__exact=asking",
        lambda: Diagnosis.objects.unfinished().count(),
    ),
    _TodoSpec(
        "失败的诊断（24 小时）",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis",
        "status__exact=failed",
        lambda: Diagnosis.objects.filter(status=DiagnosisStatus.FAILED, created_at__gt=_get_one_day_ago()).count(),
        True,
    ),
    _TodoSpec(
        "暂停中的平台",
        "diagnosis.view_platform",
        "diagnosis_platform",
        "",
        lambda: Platform.objects.filter(is_enabled=True, paused_until__gt=timezone.now()).count(),
        True,
    ),
    _TodoSpec(
        "失败的后台任务",
        "procrastinate.view_procrastinatejob",
        "procrastinate_procrastinatejob",
        "status=failed",
        lambda: ProcrastinateJob.objects.filter(status="failed").count(),
        True,
    ),
]


def get_todo_items(user: AbstractBaseUser | AnonymousUser) -> list[TodoItem]:
    """Return the items that the user may see; one query each."""
    has_permission: Callable[[str], bool] = getattr(user, "has_perm", lambda _permission: False)
    items = []
    for spec in _TODO_SPECS:
        if has_permission(spec.permission):
            count = spec.count()
            url = reverse(f"admin:{spec.model_path}_changelist") + (f"?{spec.query}" if spec.query else "")
            items.append(TodoItem(spec.title, count, url, spec.is_urgent and count > 0))
    return items
