"""Dead man's switch: every server process checks the heartbeats and monitoring itself, and notifies of faults.

A heartbeat is stale after two of its intervals, so that operators are notified within three. The evaluator and the
sender are expected from the first start on, so a site without workers is reported too. For WATCHDOG_GRACE_SECONDS
after the start of the site or of a watching process, nothing is reported, because the other processes are starting.
"""

import asyncio
import time
from datetime import timedelta

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now
from django.utils import timezone

from monitoring.alerts.lifecycle import fire_alert, repeat_alert, resolve_alert
from monitoring.alerts.self_checks import (
    CLOCK_STEP,
    SKIPPED_RULES,
    SelfCheckFailure,
    find_self_check_failures,
    is_clock_step_over,
)
from monitoring.delivery.outbox import send_due_deliveries
from monitoring.heartbeats import EVALUATOR_HEARTBEAT, SENDER_HEARTBEAT, SENDER_HEARTBEAT_SECONDS
from monitoring.models import Alert, Heartbeat
from monitoring.models.rules import AlertSeverity

log = structlog.get_logger(__name__)


STALE_INTERVALS = 2.0
CHECKS_PER_INTERVAL = 3
MAX_CHECK_INTERVAL_SECONDS = 5.0
REPEAT_INTERVAL_SECONDS = 4 * 3600
EXPECTED_INTERVAL_SECONDS = {EVALUATOR_HEARTBEAT: 15.0, SENDER_HEARTBEAT: SENDER_HEARTBEAT_SECONDS}
ALERT_TITLES = {EVALUATOR_HEARTBEAT: "告警规则不再被计算", SENDER_HEARTBEAT: "告警通知不再被发送"}
ALERT_ADVICE = {
    EVALUATOR_HEARTBEAT: "请检查后台任务进程：manage.py serve（--concurrency 大于 0）或 manage.py procrastinate worker",
    SENDER_HEARTBEAT: "请检查网站进程与数据库",
}


def create_expected_heartbeats() -> None:
    """Create the rows of the expected heartbeats once per site; their first beat is due after the grace period."""
    first_due = timezone.now() + timedelta(seconds=settings.WATCHDOG_GRACE_SECONDS)
    for name, seconds in EXPECTED_INTERVAL_SECONDS.items():
        Heartbeat.objects.get_or_create(name=name, defaults={"beaten_at": first_due, "interval_seconds": seconds})


def check_heartbeats(*, is_grace_period: bool = False) -> int:
    """Check every heartbeat, and monitoring itself, once; return the number of faults.

    A fault opens an alert (once, however many processes watch), which this process also sends; its end resolves it.
    During the grace period alerts are only resolved.
    """
    # By the database's clock: those of several machines differ.
    validity = F("interval_seconds") * Value(timedelta(seconds=STALE_INTERVALS))
    stale_at = F("beaten_at") + ExpressionWrapper(validity, output_field=DurationField())
    stale = list(Heartbeat.objects.alias(stale_at=stale_at).filter(stale_at__lt=Now()))
    failures = [_describe_stale_heartbeat(heartbeat) for heartbeat in stale]
    # Without an evaluator every rule is skipped, which one alert says.
    is_evaluating = EVALUATOR_HEARTBEAT not in {heartbeat.name for heartbeat in stale}
    failures += [each for each in find_self_check_failures() if is_evaluating or each.name != SKIPPED_RULES]
    names = {failure.name for failure in failures}
    for alert in Alert.objects.open().filter(source=Alert.Source.WATCHDOG):
        is_over = is_clock_step_over(alert) if alert.rule_name == CLOCK_STEP else alert.rule_name not in names
        if is_over:
            resolve_alert(alert, text="心跳已恢复" if alert.rule_name in ALERT_TITLES else "已恢复")
    if not is_grace_period:
        for failure in failures:
            _report(failure)
    if failures:
        send_due_deliveries()
    return len(failures)


def _describe_stale_heartbeat(heartbeat: Heartbeat) -> SelfCheckFailure:
    sender_text = f"，由 {heartbeat.by}" if heartbeat.by else "（从未）"
    last_beat = f"{timezone.localtime(heartbeat.beaten_at):%Y-%m-%d %H:%M:%S}"
    advice = ALERT_ADVICE.get(heartbeat.name, "")
    return SelfCheckFailure(
        heartbeat.name,
        ALERT_TITLES.get(heartbeat.name, f"心跳停止：{heartbeat.name}"),
        f"最近一次：{last_beat}{sender_text}；应每 {heartbeat.interval_seconds:g} 秒一次。{advice}",
    )


def _report(failure: SelfCheckFailure) -> None:
    """Open an alert, or repeat the open one when that is due."""
    fingerprint = f"watchdog:{failure.name}"
    alert = fire_alert(
        fingerprint=fingerprint,
        title=failure.title,
        severity=AlertSeverity.CRITICAL,
        source=Alert.Source.WATCHDOG,
        rule_name=failure.name,
        labels={"check": failure.name},
        summary=failure.summary,
    )
    if alert is not None:
        return
    cutoff = timezone.now() - timedelta(seconds=REPEAT_INTERVAL_SECONDS)
    due = Alert.objects.open().filter(Q(notified_at=None) | Q(notified_at__lt=cutoff), fingerprint=fingerprint)
    with transaction.atomic():  # the row lock lets one of several watching processes repeat it
        alert = due.filter(acknowledged_at=None).select_for_update(skip_locked=True, of=("self",)).first()
        if alert:
            repeat_alert(alert, text=failure.summary)


def _check_once(*, is_grace_period: bool) -> float:
    """Check the heartbeats; return the seconds until the next check."""
    create_expected_heartbeats()
    check_heartbeats(is_grace_period=is_grace_period)
    intervals = Heartbeat.objects.values_list("interval_seconds", flat=True)
    shortest = min([*intervals, *EXPECTED_INTERVAL_SECONDS.values()])
    return max(0.05, min(MAX_CHECK_INTERVAL_SECONDS, shortest / CHECKS_PER_INTERVAL))


_check_once_async = database_sync_to_async(_check_once, thread_sensitive=False)


async def run_watchdog_loop() -> None:
    """Check the heartbeats until cancelled."""
    started = time.monotonic()
    while True:
        seconds = 1.0
        try:
            seconds = await _check_once_async(
                is_grace_period=time.monotonic() - started < settings.WATCHDOG_GRACE_SECONDS
            )
        except Exception as error:  # noqa: BLE001 - the database may be down; an external monitor detects that
            log.warning("watch_failed", error=repr(error))
        await asyncio.sleep(seconds)
