"""The to-do items of the admin home page, by the permissions of the operator.

Each number is that of the rows which its link lists.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagsite.models import Feedback
from errors.models import CopyOverride, ErrorCopy
from errors.statistics import count_shown_errors
from monitoring.models import Alert, Channel, Delivery, RuleState, Silence

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TodoItem:
    """A count with the URL of its list; without a count it is a warning."""

    title: str
    count: int | None
    address: str
    is_urgent: bool = False


@dataclass(frozen=True)
class _TodoSpec:
    """count: of the rows, a day ago being the moment that it is called with. query: of the list, without the moment."""

    title: str
    permission: str
    view: str
    count: Callable[[datetime], int]
    query: Mapping[str, str]
    is_urgent: bool = False  # if the count is not zero
    since_field: str = ""  # if only rows of the last day count


_TODO_SPECS = [
    _TodoSpec(
        "未确认的告警",
        "monitoring.view_alert",
        "monitoring_alert_changelist",
        lambda _since: Alert.objects.open().filter(acknowledged_at=None).count(),
        {"open": "unacknowledged"},
        True,
    ),
    _TodoSpec(
        "无法计算的告警规则",
        "monitoring.view_rule",
        "monitoring_rule_changelist",
        lambda _since: RuleState.objects.filter(state=RuleState.State.FAILED, rule__is_enabled=True).count(),
        {"state__state__exact": "failed", "is_enabled__exact": "1"},
        True,
    ),
    _TodoSpec(
        "停用的通知渠道",
        "monitoring.view_channel",
        "monitoring_channel_changelist",
        lambda _since: Channel.objects.filter(is_enabled=False).count(),
        {"is_enabled__exact": "0"},
        True,
    ),
    _TodoSpec(
        "已放弃的通知（24 小时）",
        "monitoring.view_delivery",
        "monitoring_delivery_changelist",
        lambda since: Delivery.objects.filter(state="given_up", created_at__gte=since).count(),
        {"state__exact": "given_up"},
        True,
        "created_at",
    ),
    _TodoSpec(
        "未结束的静默",
        "monitoring.view_silence",
        "monitoring_silence_changelist",
        lambda _since: Silence.objects.started_and_not_ended().count(),
        {"period": "current"},
    ),
    _TodoSpec(
        "未发布的文案修改",
        "errors.change_errorcopy",
        "errors_errorcopy_changelist",
        lambda _since: ErrorCopy.objects.filter(has_draft=True).count(),
        {"has_draft__exact": "1"},
    ),
    _TodoSpec(
        "生效中的临时文案",
        "errors.view_copyoverride",
        "errors_copyoverride_changelist",
        lambda _since: CopyOverride.objects.current().count(),
        {"period": "current"},
    ),
    _TodoSpec(
        "用户看到的错误（24 小时）",
        "errors.view_errorevent",
        "errors_errorevent_groups",
        lambda _since: count_shown_errors(ONE_DAY),
        {"hours": "24"},
    ),
    _TodoSpec(
        "待处理的反馈与投诉",
        "diagsite.view_feedback",
        "diagsite_feedback_changelist",
        lambda _since: Feedback.objects.filter(handled_at=None).count(),
        {"handled": "no"},
        True,
    ),
    _TodoSpec(
        "进行中的诊断",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis_changelist",
        lambda _since: Diagnosis.objects.unfinished().count(),
        {"unfinished": "yes"},
    ),
    _TodoSpec(
        "失败的诊断（24 小时）",
        "diagnosis.view_diagnosis",
        "diagnosis_diagnosis_changelist",
        lambda since: Diagnosis.objects.filter(status=DiagnosisStatus.FAILED, created_at__gte=since).count(),
        {"status__exact": DiagnosisStatus.FAILED.value},
        True,
        "created_at",
    ),
    _TodoSpec(
        "暂停中的平台",
        "diagnosis.view_platform",
        "diagnosis_platform_changelist",
        lambda _since: Platform.objects.paused().count(),
        {"paused": "yes"},
        True,
    ),
    _TodoSpec(
        "失败的后台任务",
        "procrastinate.view_procrastinatejob",
        "procrastinate_procrastinatejob_changelist",
        lambda _since: ProcrastinateJob.objects.filter(status="failed").count(),
        {"status": "failed"},
        True,
    ),
]
_CHANNEL_PERMISSION = "monitoring.view_channel"


def get_todo_items(user: AbstractBaseUser | AnonymousUser) -> list[TodoItem]:
    """Return the items that the user may see; one query each. Warnings come first."""
    has_permission: Callable[[str], bool] = getattr(user, "has_perm", lambda _permission: False)
    since = timezone.now() - ONE_DAY
    items = []
    if has_permission(_CHANNEL_PERMISSION) and not Channel.objects.filter(is_enabled=True).exists():
        title = "没有可用的通知渠道：告警不会通知任何人"
        items.append(TodoItem(title, None, reverse("admin:monitoring_channel_changelist"), is_urgent=True))
    for spec in _TODO_SPECS:
        if has_permission(spec.permission):
            count = spec.count(since)
            query: dict[str, Any] = {**spec.query}
            if spec.since_field:
                query[f"{spec.since_field}__gte"] = since.isoformat()
            url = f"{reverse(f'admin:{spec.view}')}?{urlencode(query)}"
            items.append(TodoItem(spec.title, count, url, spec.is_urgent and count > 0))
    return items
