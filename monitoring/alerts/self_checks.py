"""Alerts about monitoring itself: rules that cannot be evaluated, channels that are disabled, messages that are lost.

The watchdog of every server process runs the checks, so they do not depend on the evaluator.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from monitoring.alerts.lifecycle import fire_alert
from monitoring.formatting import format_duration
from monitoring.models import Alert, Channel, Delivery, RuleState
from monitoring.models.rules import AlertSeverity

CLOCK_STEP = "clock"
FAILED_RULES, SKIPPED_RULES = "rules_failed", "rules_skipped"
DISABLED_CHANNELS, LOST_MESSAGES = "channels_disabled", "messages_lost"

MAX_UNEVALUATED = timedelta(seconds=40)  # of rules evaluated every 15 s
FAILED_FOR = timedelta(seconds=25)
_REPORTED_FOR = timedelta(hours=24)  # how long a lost message and a step of the clock remain reported
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class SelfCheckFailure:
    """A fault of monitoring; `name` identifies its alert."""

    name: str
    title: str
    summary: str


def find_self_check_failures(now: datetime | None = None) -> list[SelfCheckFailure]:
    """Return the faults that exist now."""
    now = now or timezone.now()
    checks = (_check_failed_rules, _check_skipped_rules, _check_channels, _check_messages)
    return [failure for check in checks if (failure := check(now))]


def report_clock_step(seconds: float) -> None:
    """Tell operators once that the clock was set back; the alert ends a day later."""
    fire_alert(
        fingerprint=f"watchdog:{CLOCK_STEP}",
        title="服务器时钟被拨回",
        severity=AlertSeverity.WARNING,
        source=Alert.Source.WATCHDOG,
        rule_name=CLOCK_STEP,
        summary=f"时钟向后跳了约 {format_duration(seconds)}，告警规则已从现在的时间继续计算。请检查时间同步（NTP）。",
    )


def is_clock_step_over(alert: Alert) -> bool:
    """Return whether the report of a step of the clock has been open for long enough."""
    return timezone.now() - alert.fired_at >= _REPORTED_FOR


def _check_failed_rules(now: datetime) -> SelfCheckFailure | None:
    states = RuleState.objects.filter(rule__is_enabled=True, state=RuleState.State.FAILED, since__lte=now - FAILED_FOR)
    names = list(states.order_by("rule__name").values_list("rule__name", flat=True))
    if not names:
        return None
    return SelfCheckFailure(
        FAILED_RULES, "告警规则无法计算", f"{_join(names)}：计算出错，期间不会触发也不会解除。原因见“错误记录”。"
    )


def _check_skipped_rules(now: datetime) -> SelfCheckFailure | None:
    states = RuleState.objects.filter(rule__is_enabled=True, evaluated_at__isnull=False)
    late = states.filter(evaluated_at__lt=now - MAX_UNEVALUATED) | states.filter(evaluated_at__gt=now + MAX_UNEVALUATED)
    names = list(late.order_by("rule__name").values_list("rule__name", flat=True))
    if not names:
        return None
    return SelfCheckFailure(
        SKIPPED_RULES, "告警规则被跳过", f"{_join(names)}：超过两个间隔没有计算。请检查后台任务进程与服务器时钟。"
    )


def _check_channels(_now: datetime) -> SelfCheckFailure | None:
    disabled = Channel.objects.filter(is_enabled=False).exclude(disabled_reason="")
    reasons = [f"{channel.name}：{channel.disabled_reason}" for channel in disabled]
    if not reasons:
        return None
    return SelfCheckFailure(
        DISABLED_CHANNELS, "通知渠道已停用", f"{_join(reasons, '；')}。改正后在“通知渠道”中重新启用。"
    )


def _check_messages(now: datetime) -> SelfCheckFailure | None:
    lost = Delivery.objects.filter(state=Delivery.State.GIVEN_UP, replacement=None, created_at__gt=now - _REPORTED_FOR)
    lost = lost.exclude(alert__source=Alert.Source.WATCHDOG)
    count = lost.count()
    if not count:
        return None
    channels = sorted(set(lost.values_list("channel__name", flat=True)))
    return SelfCheckFailure(
        LOST_MESSAGES, "告警通知未送达", f"24 小时内 {count} 条通知没有送达，渠道：{_join(channels)}。原因见“通知”。"
    )


def _join(names: list[str], separator: str = "、") -> str:
    rest = len(names) - _MAX_NAMES
    return separator.join(names[:_MAX_NAMES]) + (f" 等 {len(names)} 个" if rest > 0 else "")
