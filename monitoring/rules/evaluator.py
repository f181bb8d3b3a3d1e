"""Evaluates the alert rules every 15 s; any number of evaluators may run at once.

A tick is the number of an evaluation: its time / 15 s. An evaluator claims a rule by a conditional update of the tick
in the rule's state, so only one evaluates it. It stores its result on condition that the tick is still its own, so an
evaluator that was too slow changes nothing. Alerts and messages are written in the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from errors.exceptions import get_error_code
from errors.recording import record_error
from monitoring.alerts.lifecycle import fire_alert, repeat_alert, resolve_alert
from monitoring.alerts.platform_alerts import sync_platform_alerts
from monitoring.alerts.self_checks import report_clock_step
from monitoring.alerts.silence_notifications import send_silence_notifications
from monitoring.heartbeats import EVALUATOR_HEARTBEAT, beat
from monitoring.models import Alert, Rule, RuleState
from monitoring.rules.breakdown import build_breakdown
from monitoring.rules.decision import AlertAction, Decision, EvaluationState, decide
from monitoring.rules.explanations import build_evaluation_summary
from monitoring.rules.inhibition import inhibit, load_inhibitions
from monitoring.rules.rule_query import RuleQuery, add_last_endings, build_rule_query, build_rule_snapshot
from monitoring.samples.queries import SampleReader, get_complete_until

log = structlog.get_logger(__name__)

EVALUATION_INTERVAL_SECONDS = 15
MAX_CLOCK_DIFFERENCE_TICKS = 4  # between the clocks of two machines


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The decision about a rule, or the error that prevented one."""

    rule: Rule
    decision: Decision | None
    error: Exception | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return rule, values and decision as one flat object."""
        rule, decision = self.rule, self.decision
        row = {
            "rule": rule.name,
            "kind": rule.kind,
            "comparison": rule.comparison,
            "threshold": rule.threshold,
        }
        if decision is None:
            return {**row, "state": "failed", "error": repr(self.error)}
        return {
            **row,
            **asdict(decision.measurement),
            "state": decision.new_state.state,
            "since": decision.new_state.since,
            "action": decision.action,
            "why": decision.reason,
        }


def run_evaluation(now: datetime | None = None) -> list[EvaluationResult]:
    """Evaluate every enabled rule that no other process has evaluated in this tick; return their results.

    A rule that cannot be evaluated gets the state FAILED and the others continue. Database errors that affect all rules
    are raised.
    """
    now = now or timezone.now()
    for step in (send_silence_notifications, _resolve_orphaned_alerts, sync_platform_alerts):
        try:
            step(now)
        except Exception as error:  # must not keep the rules from being evaluated
            log.exception("evaluator_step_failed", step=step.__name__)
            place = f"monitoring.rules.evaluator:{step.__name__}"
            record_error(get_error_code(error), error=error, outcome="recovered", place=place)
    missing = Rule.objects.filter(is_enabled=True, state=None).values_list("pk", flat=True)
    RuleState.objects.bulk_create([RuleState(rule_id=pk) for pk in missing], ignore_conflicts=True)
    tick = get_tick(now)
    results = evaluate_rules(_claim_rules(tick), now)
    decisions = {result.rule.pk: result.decision for result in results if result.decision}
    unchanged = {pk: decision for pk, decision in decisions.items() if decision.action is AlertAction.NOTHING}
    _store_decisions(unchanged, tick, now)
    # A cause fires before its symptoms, which it then inhibits.
    for result in sorted(results, key=lambda result: len(result.rule.inhibited_by)):
        if result.error:
            _store_failure(result.rule, result.error, tick, now)
        elif result.decision and result.rule.pk not in unchanged:
            _apply_transition(result.rule, result.decision, tick, now)
    beat(EVALUATOR_HEARTBEAT, EVALUATION_INTERVAL_SECONDS)
    return results


def get_tick(now: datetime) -> int:
    """Return the number of the evaluation at a time."""
    return int(now.timestamp() // EVALUATION_INTERVAL_SECONDS)


def evaluate_rules(rules: Iterable[Rule], now: datetime) -> list[EvaluationResult]:
    """Return the results that the rules would have now; store nothing."""
    rules = list(rules)
    states = load_evaluation_states(rules)
    inhibitions = load_inhibitions(now)
    queries: dict[int, RuleQuery] = {}
    errors: dict[int, Exception] = {}
    for rule in rules:
        state = states[rule.pk]
        explained = inhibitions.get_explained(rule)
        ends = [end for end in (state.resolved_at, explained.until) if end is not None]
        since = get_complete_until(max(ends)) if ends else None
        try:
            queries[rule.pk] = build_rule_query(
                rule, since=since, recovered_since=state.recovered_since, excluded_platforms=explained.platforms
            )
        except Exception as error:  # noqa: BLE001 - an invalid rule must not stop the others
            errors[rule.pk] = error
    reader = SampleReader(
        [sample_query for query in queries.values() for sample_query in query.queries], get_complete_until(now)
    )
    evidence = {pk: query.build_evidence(reader) for pk, query in queries.items()}
    evidence = add_last_endings(evidence, queries, reader)
    inhibited = {rule.pk for rule in rules if inhibitions.is_inhibited(rule)}
    decisions: dict[int, Decision] = {}
    for pk, query in queries.items():
        try:
            decision = decide(query.parameters, states[pk], evidence[pk], now)
            decisions[pk] = inhibit(decision) if pk in inhibited else decision
        except Exception as error:  # noqa: BLE001 - an invalid rule must not stop the others
            errors[pk] = error
    return [EvaluationResult(rule, decisions.get(rule.pk), errors.get(rule.pk)) for rule in rules]


def load_evaluation_states(rules: Iterable[Rule]) -> dict[int, EvaluationState]:
    """Return {rule id: state before this evaluation}; a rule fires as long as its alert is open."""
    rules = list(rules)
    open_alerts = {alert.rule_id: alert for alert in Alert.objects.open().filter(rule__in=rules)}
    rows = {row.pk: row for row in RuleState.objects.filter(pk__in=[rule.pk for rule in rules])}
    states = {}
    for rule in rules:
        row, alert = rows.get(rule.pk, RuleState()), open_alerts.get(rule.pk)
        states[rule.pk] = EvaluationState(
            state=row.state,
            since=row.since,
            breached_since=row.breached_since,
            recovered_since=row.recovered_since,
            insufficient_since=row.insufficient_since,
            resolved_at=row.resolved_at,
            evaluated_at=row.evaluated_at,
            is_open=alert is not None,
            fired_value=alert.value if alert else None,
            peak_value=row.peak_value if alert else None,
            notified_at=(alert.notified_at or alert.fired_at) if alert else None,
            repeats=alert.repeats if alert else 0,
            is_acknowledged=bool(alert and alert.acknowledged_at),
        )
    return states


_CLAIM_RULES_SQL = """
WITH claimed AS (
    SELECT rule_id, tick AS earlier FROM monitoring_rulestate JOIN monitoring_rule ON id = rule_id AND is_enabled
    WHERE tick < %(tick)s OR tick > %(future)s ORDER BY rule_id FOR UPDATE OF monitoring_rulestate SKIP LOCKED)
UPDATE monitoring_rulestate AS state SET tick = %(tick)s FROM claimed WHERE state.rule_id = claimed.rule_id
RETURNING state.rule_id, claimed.earlier
"""


def _claim_rules(tick: int) -> list[Rule]:
    """Return the rules claimed for this tick; one that another process is storing right now waits for the next tick.

    A tick far in the future was stored before the clock was set back: the rules go on, and operators are told.
    """
    future = tick + MAX_CLOCK_DIFFERENCE_TICKS
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_RULES_SQL, {"tick": tick, "future": future})
        claimed = dict(cursor.fetchall())
    if latest := max((earlier for earlier in claimed.values() if earlier > future), default=0):
        report_clock_step((latest - tick) * EVALUATION_INTERVAL_SECONDS)
    return list(Rule.objects.filter(pk__in=claimed).order_by("name")) if claimed else []


_STORE_DECISIONS_SQL = """
UPDATE monitoring_rulestate AS state SET
    state = new.state, since = coalesce(new.since, state.since), breached_since = new.breached_since,
    recovered_since = new.recovered_since, insufficient_since = new.insufficient_since,
    resolved_at = new.resolved_at, peak_value = new.peak_value, evaluated_at = %(now)s,
    value = new.value, low = new.low, high = new.high, numerator = new.numerator, denominator = new.denominator,
    window_seconds = new.window_seconds
FROM unnest(
    %(pk)s::bigint[], %(state)s::text[], %(since)s::timestamptz[], %(breached_since)s::timestamptz[],
    %(recovered_since)s::timestamptz[], %(insufficient_since)s::timestamptz[], %(resolved_at)s::timestamptz[],
    %(peak_value)s::float8[], %(value)s::float8[], %(low)s::float8[], %(high)s::float8[], %(numerator)s::float8[],
    %(denominator)s::float8[], %(window_seconds)s::int[]
) AS new (pk, state, since, breached_since, recovered_since, insufficient_since, resolved_at, peak_value, value, low,
    high, numerator, denominator, window_seconds)
WHERE state.rule_id = new.pk AND state.tick = %(tick)s
RETURNING state.rule_id
"""
_STATE_COLUMNS = [
    *("state", "since", "breached_since", "recovered_since", "insufficient_since", "resolved_at", "peak_value"),
]


def _store_decisions(decisions: Mapping[int, Decision], tick: int, now: datetime) -> set[int]:
    """Store states in one statement, ordered by rule; return the rules that are not claimed for a later tick."""
    if not decisions:
        return set()
    rows = [
        {"pk": pk} | {name: getattr(decision.new_state, name) for name in _STATE_COLUMNS} | asdict(decision.measurement)
        for pk, decision in sorted(decisions.items())
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with connection.cursor() as cursor:
        cursor.execute(_STORE_DECISIONS_SQL, {**columns, "tick": tick, "now": now})
        return {pk for (pk,) in cursor.fetchall()}


def _store_failure(rule: Rule, error: Exception, tick: int, now: datetime) -> None:
    log.error("rule_failed", rule=rule.name, exc_info=error)
    record_error(
        get_error_code(error),
        error=error,
        outcome="recovered",
        place="evaluation of an alert rule",
        context={"reason": rule.name},
    )
    # A failed rule neither fires nor resolves; both delays start again afterwards.
    failed = {"state": RuleState.State.FAILED, "evaluated_at": now, "breached_since": None, "recovered_since": None}
    states = RuleState.objects.filter(pk=rule.pk, tick=tick)
    states.exclude(state=RuleState.State.FAILED).update(since=now)
    states.update(**failed)


def _apply_transition(rule: Rule, decision: Decision, tick: int, now: datetime) -> None:
    """Store state, alert, timeline and messages in one transaction; a failure affects this rule only."""
    summary = build_evaluation_summary(
        rule.kind, rule.metric, rule.comparison, rule.threshold, decision.measurement, decision.reason
    )
    try:
        with transaction.atomic():
            if decision.action is AlertAction.FIRE and rule.inhibited_by and load_inhibitions(now).is_inhibited(rule):
                decision = inhibit(decision)  # another rule has just fired
            if not _store_decisions({rule.pk: decision}, tick, now) or decision.action is AlertAction.NOTHING:
                return
            if decision.action is AlertAction.FIRE:
                details, labels = build_breakdown(rule, decision.measurement, now)
                fire_alert(
                    source=Alert.Source.RULE,
                    fingerprint=f"rule:{rule.name}",
                    rule=rule,
                    rule_as_it_was=build_rule_snapshot(rule),
                    title=rule.title or rule.name,
                    severity=rule.severity,
                    summary=summary,
                    details=details,
                    labels=labels,
                    # Absolute, because the message is read outside the site.
                    runbook_url=f"{settings.SITE_URL if rule.runbook_url.startswith('/') else ''}{rule.runbook_url}",
                    measurement=decision.measurement,
                    now=now,
                )
                return
            for alert in Alert.objects.open().filter(rule=rule):
                change = repeat_alert if decision.action is AlertAction.REPEAT else resolve_alert
                change(
                    alert,
                    text=summary,
                    current_value=decision.measurement.value,
                    peak_value=decision.new_state.peak_value,
                    now=now,
                )
    except Exception as error:  # noqa: BLE001 - the other rules continue, and the next tick tries again
        _store_failure(rule, error, tick, now)


def _resolve_orphaned_alerts(now: datetime) -> None:
    """Resolve the alerts of deleted or disabled rules, which no evaluation would resolve."""
    enabled_rules = Rule.objects.filter(is_enabled=True)
    for alert in Alert.objects.open().filter(source=Alert.Source.RULE).exclude(rule__in=enabled_rules):
        resolve_alert(alert, text="规则已停用或删除", now=now)
