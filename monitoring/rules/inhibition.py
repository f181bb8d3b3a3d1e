"""Symptoms are not told while the alert of their cause is open, nor because of what happened during it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitoring.alerts.platform_alerts import PLATFORM_ALERT_NAME, get_platforms
from monitoring.instrumentation.registry import get_metrics
from monitoring.models import Alert, Rule
from monitoring.rules.decision import AlertAction, Decision, DecisionReason

# A platform that is down for longer must not hide what else goes wrong.
MAX_INHIBITION = timedelta(hours=24)
# Causes that ended longer ago are in no rule's evidence.
_REMEMBERED = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Explained:
    """What open and ended causes explain: samples up to `until`, and the samples of some platforms."""

    until: datetime | None = None
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inhibitions:
    """The alerts that are causes, as they were when loaded."""

    now: datetime
    causes: Sequence[Alert] = field(default_factory=list)

    def get_explained(self, rule: Rule) -> Explained:
        """Return what the causes of a rule explain."""
        causes = [alert for alert in self.causes if alert.rule_name in rule.inhibited_by]
        ends = [alert.resolved_at for alert in causes if alert.resolved_at]
        platforms: list[str] = []
        if _is_by_platform(rule):
            platforms = sorted({name for alert in causes if alert.is_open for name in get_platforms(alert)})
        return Explained(max(ends, default=None), tuple(platforms))

    def is_inhibited(self, rule: Rule) -> bool:
        """Return whether an open cause explains a breach of the rule.

        A rule on the calls of each platform is evaluated without the platforms that have an alert, not inhibited.
        """
        return any(
            alert.is_open
            and alert.rule_name in rule.inhibited_by
            and (alert.rule_name != PLATFORM_ALERT_NAME or self._explains_everything(alert, rule))
            for alert in self.causes
        )

    def _explains_everything(self, platform_alert: Alert, rule: Rule) -> bool:
        return not _is_by_platform(rule) and self.now - platform_alert.fired_at < MAX_INHIBITION


def load_inhibitions(now: datetime) -> Inhibitions:
    """Load the open alerts and those that ended in the last days."""
    recent = Alert.objects.filter(resolved_at__gt=now - _REMEMBERED)
    return Inhibitions(now, [*Alert.objects.open(), *recent.only("rule_name", "resolved_at", "fired_at", "labels")])


def inhibit(decision: Decision) -> Decision:
    """Return the decision without the start of an alert."""
    if decision.action is not AlertAction.FIRE:
        return decision
    new_state = replace(decision.new_state, state="pending", is_open=False, recovered_since=None, peak_value=None)
    return replace(decision, new_state=new_state, action=AlertAction.NOTHING, reason=DecisionReason.INHIBITED)


def _is_by_platform(rule: Rule) -> bool:
    metric = get_metrics().get(rule.metric)
    return metric is not None and "platform" in metric.labels and rule.kind != Rule.Kind.GAUGE
