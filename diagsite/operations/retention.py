"""How long each table keeps its rows. Older rows are deleted in batches, so that no lock is held for long."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.models import DigestIssue, OverviewLink, PaidCall, PartialReply, RawReply, RepairChange, ShareLink
from diagnosis.orders.workspace_deletion import DELETION_DAYS
from diagsite.models import Feedback, Notification, RevokedToken
from diagsite.operations.workspace_purge import find_purgeable, purge_next_workspace
from errors.models import ErrorCount, ErrorEvent
from errors.terminal import gettext_lazy
from monitoring.models import Alert, Delivery, Process, Sample
from progress.models import PushProcess, Stream
from progress.services import prune_streams

PRUNE_BATCH_SIZE = 2000
PRUNE_LOCK_TIMEOUT_SECONDS = 2
ERROR_COUNT_RETENTION_FACTOR = 10

SelectFunction = Callable[[datetime], QuerySet[Any]]
PruneFunction = Callable[[datetime], int]


@dataclass(frozen=True)
class RetentionRule:
    """The retention of one table.

    days: the default, which settings.KEPT_DAYS overrides by the rule's name; 0 keeps rows forever.
    count: the number of rows older than a time. prune_batch: deletes up to PRUNE_BATCH_SIZE of them.
    prune_dependents: deletes rows that belong to pruned ones and are not counted; runs last.
    """

    name: str
    description: str
    days: float
    count: Callable[[datetime], int]
    prune_batch: PruneFunction
    prune_dependents: PruneFunction | None = None

    @property
    def retention_days(self) -> float:
        """The days that apply on this site."""
        return float(settings.KEPT_DAYS.get(self.name, self.days))

    def get_cutoff(self) -> datetime | None:
        """Return the time before which rows are deleted; None if all are kept."""
        return timezone.now() - timedelta(days=self.retention_days) if self.retention_days > 0 else None

    def prune(self, cutoff: datetime) -> int:
        """Delete all rows older than the cutoff, batch by batch; return how many, without dependents."""
        pruned = 0
        while batch := self.prune_batch(cutoff):
            pruned += batch
        while self.prune_dependents and self.prune_dependents(cutoff):
            pass
        return pruned


def _delete_batch(select_expired: SelectFunction, order_by: str, cutoff: datetime) -> int:
    expired = select_expired(cutoff)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{PRUNE_LOCK_TIMEOUT_SECONDS}s'")
        # Rows that another transaction has locked are left to the next run.
        batch = expired.order_by(order_by).select_for_update(skip_locked=True, of=("self",))[:PRUNE_BATCH_SIZE]
        keys = list(batch.values_list("pk", flat=True))
        expired.filter(pk__in=keys).delete()
    return len(keys)


def _build_row_rule(
    name: str,
    description: str,
    days: float,
    select_expired: SelectFunction,
    *,
    order_by: str = "pk",
    select_dependents: SelectFunction | None = None,
) -> RetentionRule:
    """A rule that deletes rows, with those that cascade. order_by: a column whose index finds the oldest rows."""
    return RetentionRule(
        name,
        description,
        days,
        lambda cutoff: select_expired(cutoff).count(),
        partial(_delete_batch, select_expired, order_by),
        partial(_delete_batch, select_dependents, "pk") if select_dependents else None,
    )


_EXPIRED_JOBS_SQL = """
    SELECT j.id FROM procrastinate_jobs j
    WHERE j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
        AND coalesce((SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id), '-infinity') < %s
"""


def _delete_job_batch(cutoff: datetime) -> int:
    """procrastinate itself deletes only the jobs that succeeded."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM procrastinate_jobs WHERE id IN ({_EXPIRED_JOBS_SQL} LIMIT {PRUNE_BATCH_SIZE})", [cutoff]
        )
        return int(cursor.rowcount)


_FINAL_NOTIFICATION_STATES = [
    Notification.State.SENT,
    Notification.State.SEEN,
    Notification.State.GIVEN_UP,
    Notification.State.ON_PAGE,
]

RETENTION_RULES = [
    RetentionRule(
        "streams",
        gettext_lazy("已结束诊断的进度事件"),
        30,
        lambda cutoff: Stream.objects.filter(is_closed=True, closed_at__lt=cutoff, last_seq__gt=0).count(),
        lambda cutoff: prune_streams(cutoff, PRUNE_BATCH_SIZE),
    ),
    _build_row_rule(
        "errors",
        gettext_lazy("错误事件；计数的保留时间为其 %(factor)d 倍", factor=ERROR_COUNT_RETENTION_FACTOR),
        settings.ERRORS_KEPT_DAYS,
        lambda cutoff: ErrorEvent.objects.filter(created_at__lt=cutoff),
        order_by="created_at",
        select_dependents=lambda cutoff: ErrorCount.objects.filter(
            hour__lt=cutoff - (ERROR_COUNT_RETENTION_FACTOR - 1) * (timezone.now() - cutoff)
        ),
    ),
    _build_row_rule(
        "samples",
        gettext_lazy("指标样本，以及没有样本的进程"),
        settings.SAMPLES_KEPT_DAYS,
        lambda cutoff: Sample.objects.filter(bucket__lt=cutoff),
        order_by="bucket",
        select_dependents=lambda cutoff: Process.objects.filter(seen_at__lt=cutoff, samples=None),
    ),
    RetentionRule(
        "jobs",
        gettext_lazy("已结束的后台任务及其事件"),
        7,
        lambda cutoff: ProcrastinateJob.objects.filter(pk__in=RawSQL(_EXPIRED_JOBS_SQL, [cutoff])).count(),
        _delete_job_batch,
    ),
    _build_row_rule(
        "deliveries",
        gettext_lazy("已发出或已放弃的告警消息"),
        90,
        lambda cutoff: Delivery.objects.filter(created_at__lt=cutoff).exclude(state=Delivery.State.WAITING),
    ),
    _build_row_rule(
        "alerts", gettext_lazy("已解除的告警"), 365, lambda cutoff: Alert.objects.filter(resolved_at__lt=cutoff)
    ),
    _build_row_rule(
        "notices",
        gettext_lazy("已发出或已放弃的用户通知"),
        90,
        lambda cutoff: Notification.objects.filter(due_at__lt=cutoff, state__in=_FINAL_NOTIFICATION_STATES),
    ),
    _build_row_rule(
        "sessions", gettext_lazy("过期的浏览器会话"), 1, lambda cutoff: Session.objects.filter(expire_date__lt=cutoff)
    ),
    _build_row_rule(
        "tokens",
        gettext_lazy("已撤销且过期的令牌"),
        1,
        lambda cutoff: RevokedToken.objects.filter(expires_at__lt=cutoff),
    ),
    _build_row_rule(
        "overview_shares",
        gettext_lazy("过期的总览分享链接"),
        30,
        lambda cutoff: OverviewLink.objects.filter(expires_at__lt=cutoff),
    ),
    _build_row_rule(
        "shares", gettext_lazy("过期的分享链接"), 30, lambda cutoff: ShareLink.objects.filter(expires_at__lt=cutoff)
    ),
    _build_row_rule(
        "sign_ins",
        gettext_lazy("密码登录失败的记录"),
        1,
        lambda cutoff: AccessAttempt.objects.filter(attempt_time__lt=cutoff),
    ),
    _build_row_rule(
        "push",
        gettext_lazy("网站进程的连接统计"),
        1,
        lambda cutoff: PushProcess.objects.filter(seen_at__lt=cutoff),
    ),
    _build_row_rule(
        "repairs",
        gettext_lazy("repair_history 的修复记录；删除后无法撤销修复"),
        365,
        lambda cutoff: RepairChange.objects.filter(run__finished_at__lt=cutoff),
    ),
    _build_row_rule(
        "calls",
        gettext_lazy("不属于任何诊断的付费调用，如平台检查；每日合计保留"),
        90,
        lambda cutoff: PaidCall.objects.filter(diagnosis__isnull=True, made_at__lt=cutoff),
    ),
    _build_row_rule(
        "digests",
        gettext_lazy("工作区的简报"),
        365,
        lambda cutoff: DigestIssue.objects.filter(window_end__lt=cutoff),
    ),
    RetentionRule(
        "workspaces",
        gettext_lazy("用户要求删除的工作区，连同全部诊断"),
        DELETION_DAYS,
        lambda cutoff: find_purgeable(cutoff).count(),
        purge_next_workspace,
    ),
    _build_row_rule(
        "raw_replies",
        gettext_lazy("平台的原始回复，供排查问题"),
        30,
        lambda cutoff: RawReply.objects.filter(created_at__lt=cutoff),
        order_by="created_at",
    ),
    _build_row_rule(
        "partial_replies",
        gettext_lazy("未完成的回答中已付费的步骤"),
        1,
        lambda cutoff: PartialReply.objects.filter(created_at__lt=cutoff),
    ),
    _build_row_rule(
        "feedback",
        gettext_lazy("已处理的反馈、投诉和回答举报"),
        730,
        lambda cutoff: Feedback.objects.filter(handled_at__lt=cutoff),
    ),
    _build_row_rule(
        "actions", gettext_lazy("员工在后台的操作"), 730, lambda cutoff: LogEntry.objects.filter(action_time__lt=cutoff)
    ),
]

_KEEP_FOREVER = "forever: "
# By model: the rule that prunes its table, or why its rows are kept. test_retention.py finds missing models.
RETENTION_BY_MODEL = {
    "progress.Stream": f"{_KEEP_FOREVER}one row per diagnosis; its events are pruned",
    "progress.Event": "streams",
    "progress.PushProcess": "push",
    "errors.ErrorEvent": "errors",
    "errors.ErrorCount": "errors",
    "monitoring.Sample": "samples",
    "monitoring.Series": "samples",
    "monitoring.Process": "samples",
    "monitoring.Delivery": "deliveries",
    "monitoring.Alert": "alerts",
    "monitoring.AlertNote": "alerts",
    "procrastinate.ProcrastinateJob": "jobs",
    "procrastinate.ProcrastinateEvent": "jobs",
    "procrastinate.ProcrastinateWorker": f"{_KEEP_FOREVER}procrastinate deletes its own rows",
    "procrastinate.ProcrastinatePeriodicDefer": f"{_KEEP_FOREVER}procrastinate deletes its own rows",
    "diagsite.Notification": "notices",
    "diagsite.RevokedToken": "tokens",
    "diagsite.Feedback": "feedback",
    "diagsite.Consent": f"{_KEEP_FOREVER}proof of the consent, until the account is deleted",
    "diagnosis.OverviewLink": "overview_shares",
    "diagnosis.ShareLink": "shares",
    "sessions.Session": "sessions",
    "axes.AccessAttempt": "sign_ins",
    "axes.AccessAttemptExpiration": "sign_ins",
    "axes.AccessFailureLog": f"{_KEEP_FOREVER}not written",
    "axes.AccessLog": f"{_KEEP_FOREVER}not written",
    "diagnosis.RepairChange": "repairs",
    "diagnosis.RawReply": "raw_replies",
    "diagnosis.PartialReply": "partial_replies",
    "diagnosis.PaidCall": "calls",
    "diagnosis.Workspace": "workspaces",
    "diagnosis.DigestIssue": "digests",
    "diagnosis.DailySpending": f"{_KEEP_FOREVER}the site's accounts; a deleted account's rows lose its name",
    "diagnosis.BudgetUse": f"{_KEEP_FOREVER}one row per budget and month",
    "diagnosis.AccountBudget": f"{_KEEP_FOREVER}until the account is deleted",
    "diagnosis.RepairRun": f"{_KEEP_FOREVER}one row per repair",
    "admin.LogEntry": "actions",
    # diagnosis.Diagnosis, diagnosis.Answer, …
    **dict.fromkeys(
        [
            f"diagnosis.{name}"
            for name in (
                "Diagnosis",
                "Brand",
                "Question",
                "Answer",
                "Source",
                "SearchQuery",
                "Correction",
                "LegacyRecord",
                "Schedule",
                "Member",
                "RunSummary",
                "RunFigure",
                "Invitation",
                "Digest",
                "Action",
                "SourceClass",
                "TrackedBrand",
                "Spelling",
                "NameCandidate",
                "NameSighting",
                "NamesChange",
                "TrackedQuestion",
                "Tag",
                "Panel",
                "PanelVersion",
                "PanelQuestion",
            )
        ],
        f"{_KEEP_FOREVER}data of the user, until the account is deleted",
    ),
    "diagsite.User": f"{_KEEP_FOREVER}until the account is deleted",
    **dict.fromkeys(
        ["errors.ErrorCopy", "errors.CopyRevision", "errors.CopyOverride", "errors.CatalogueVersion"]
        + [f"monitoring.{name}" for name in ("Rule", "SeededRule", "RuleState", "Channel", "Silence", "Heartbeat")]
        + ["diagnosis.Platform", "diagnosis.SiteClass", "diagsite.Role"]
        + ["auth.Group", "auth.Permission", "contenttypes.ContentType"],
        f"{_KEEP_FOREVER}only people add rows",
    ),
}


def prune_expired_rows(names: list[str] | None = None) -> dict[str, int]:
    """Apply the named rules, or all; return {name: deleted rows}."""
    pruned = {}
    for rule in RETENTION_RULES:
        cutoff = rule.get_cutoff()
        if cutoff is not None and (not names or rule.name in names):
            pruned[rule.name] = rule.prune(cutoff)
    return pruned
