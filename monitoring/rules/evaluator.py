"""Evaluates the rules every 15 s, by any number of evaluators at once.

A tick is the number of an evaluation: its time / 15 s. An evaluator claims a rule by a conditional update of the tick
in its state, so one of them evaluates it; and it stores what it found under the condition that nobody has claimed a
later tick meanwhile, so one that was slow changes nothing. What a transition brings about is in that same transaction.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from errors.exceptions import get_error_code
from errors.recording import record_error
from monitoring import watchdog
from monitoring.alerts.lifecycle import fire_alert, repeat_alert, resolve_alert
from monitoring.alerts.silences import send_silence_notifications
from monitoring.models import Alert, Rule, RuleState
from monitoring.rules.decision import AlertAction, Decision, EvaluationState, decide
from monitoring.rules.explanations import build_evaluation_summary
from monitoring.rules.rule_query import RuleQuery, build_rule_query, build_rule_snapshot, get_measurement_fields
from monitoring.samples.queries import SampleReader, get_complete_until

log = structlog.get_logger(__name__)

EVALUATION_INTERVAL_SECONDS = 15


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What became of one rule: a decision, or why there is none."""

    rule: Rule
    decision: Decision | None
    error: Exception | None = None


def run_evaluation(now: datetime | None = None) -> list[EvaluationResult]:
    """Evaluate every enabled rule that nobody has evaluated in this tick; returns those that were.

    A rule that cannot be evaluated becomes FAILED and is recorded; the others go on. The database's own errors that
    concern all are raised.
    """
    now = now or timezone.now()
    for step in (send_silence_notifications, _resolve_orphaned_alerts):
        _run_step_safely(step, now)
    _add_missing_states()
    tick = get_tick(now)
    results = evaluate_rules(_claim_rules(tick), now)
    unchanged = [one for one in results if one.decision is None or one.decision.action is AlertAction.NOTHING]
    _store_results(unchanged, tick, now)
    for one in results:
        if one.decision and one.decision.action is not AlertAction.NOTHING:
            _apply_transition(one.rule, one.decision, tick, now)
    watchdog.beat(watchdog.EVALUATOR_HEARTBEAT, EVALUATION_INTERVAL_SECONDS)
    return results


def _run_step_safely(step: Callable[[datetime], object], now: datetime) -> None:
    """What is done besides must not keep rules from being evaluated."""
    try:
        step(now)
    except Exception as error:
        log.exception("evaluator_step_failed", step=step.__name__)
        record_error(
            get_error_code(error), error=error, outcome="recovered", place=f"monitoring.rules.evaluator:{step.__name__}"
        )


def get_tick(now: datetime) -> int:
    """The number of the evaluation."""
    return int(now.timestamp() // EVALUATION_INTERVAL_SECONDS)


def evaluate_rules(rules: Iterable[Rule], now: datetime) -> list[EvaluationResult]:
    """What would become of these rules now; changes nothing."""
    rules = list(rules)
    queries: dict[int, RuleQuery] = {}
    failures: dict[int, Exception] = {}
    for rule in rules:
        try:
            queries[rule.pk] = build_rule_query(rule)
        except Exception as error:  # noqa: BLE001 - one broken rule must not stop the others
            failures[rule.pk] = error
    reader = SampleReader([query for one in queries.values() for query in one.queries], get_complete_until(now))
    states = load_evaluation_states(rules)
    return [
        EvaluationResult(rule, None, failures[rule.pk])
        if rule.pk in failures
        else _evaluate_rule(rule, queries[rule.pk], reader, states[rule.pk], now)
        for rule in rules
    ]


def _evaluate_rule(
    rule: Rule, query: RuleQuery, reader: SampleReader, state: EvaluationState, now: datetime
) -> EvaluationResult:
    try:
        return EvaluationResult(rule, decide(query.parameters, state, query.get_window_sums(reader), now))
    except Exception as error:  # noqa: BLE001 - one broken rule must not stop the others
        return EvaluationResult(rule, None, error)


def load_evaluation_states(rules: Iterable[Rule]) -> dict[int, EvaluationState]:
    """{rule: where it stands}; whether it fires is what its open alert says."""
    rules = list(rules)
    open_alerts = {alert.rule_id: alert for alert in Alert.objects.open().filter(rule__in=rules)}
    states = {state.pk: state for state in RuleState.objects.filter(pk__in=[rule.pk for rule in rules])}
    return {
        rule.pk: _build_evaluation_state(states.get(rule.pk), open_alerts.get(rule.pk)) for rule in rules
    }  # fmt: skip


def _build_evaluation_state(state: RuleState | None, alert: Alert | None) -> EvaluationState:
    state = state or RuleState()
    return EvaluationState(
        state=state.state,
        since=state.since,
        breached_since=state.breached_since,
        recovered_since=state.recovered_since,
        resolved_at=state.resolved_at,
        is_open=alert is not None,
        notified_at=(alert.notified_at or alert.fired_at) if alert else None,
        is_acknowledged=bool(alert and alert.acknowledged_at),
    )


def build_rule_fingerprint(rule: Rule) -> str:
    """What the alerts of a rule are about."""
    return f"rule:{rule.name}"


# Claiming and storing ------------------------------------------------------------------------------------------------

_CLAIM_RULES_SQL = """
UPDATE monitoring_rulestate SET tick = %s
WHERE tick < %s AND rule_id IN (
    SELECT rule_id FROM monitoring_rulestate JOIN monitoring_rule ON id = rule_id AND is_enabled
    WHERE tick < %s ORDER BY rule_id FOR UPDATE OF monitoring_rulestate SKIP LOCKED)
RETURNING rule_id
"""


def _claim_rules(tick: int) -> list[Rule]:
    """The rules that are ours in this tick. One that somebody is storing at this moment waits for the next."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_RULES_SQL, [tick, tick, tick])
        claimed_ids = [pk for (pk,) in cursor.fetchall()]
    return list(Rule.objects.filter(pk__in=claimed_ids).order_by("name")) if claimed_ids else []


def _add_missing_states() -> None:
    missing = Rule.objects.filter(is_enabled=True, state=None).values_list("pk", flat=True)
    RuleState.objects.bulk_create([RuleState(rule_id=pk) for pk in missing], ignore_conflicts=True)


_STORE_DECISIONS_SQL = """
UPDATE monitoring_rulestate AS state SET
    state = new.state, since = coalesce(new.since, state.since), breached_since = new.breached_since,
    recovered_since = new.recovered_since, resolved_at = new.resolved_at, evaluated_at = %(now)s,
    value = new.value, low = new.low, high = new.high, numerator = new.numerator, denominator = new.denominator,
    window_seconds = new.window_seconds
FROM unnest(
    %(pk)s::bigint[], %(state)s::text[], %(since)s::timestamptz[], %(breached_since)s::timestamptz[],
    %(recovered_since)s::timestamptz[], %(resolved_at)s::timestamptz[], %(value)s::float8[], %(low)s::float8[],
    %(high)s::float8[], %(numerator)s::float8[], %(denominator)s::float8[], %(window_seconds)s::int[]
) AS new (pk, state, since, breached_since, recovered_since, resolved_at, value, low, high, numerator, denominator,
    window_seconds)
WHERE state.rule_id = new.pk AND state.tick = %(tick)s
RETURNING state.rule_id
"""
_STATE_COLUMNS = ["state", "since", "breached_since", "recovered_since", "resolved_at"]


def _store_results(results: list[EvaluationResult], tick: int, now: datetime) -> None:
    """In one statement, in one order in every process."""
    decided = [one for one in results if one.decision]
    _store_decisions({one.rule.pk: one.decision for one in decided if one.decision}, tick, now)
    for one in results:
        if one.error:
            _store_failure(one.rule, one.error, tick, now)


def _store_decisions(decisions: Mapping[int, Decision], tick: int, now: datetime) -> set[int]:
    """Returns the rules that nobody else has claimed for a later tick; the others stay as they are."""
    if not decisions:
        return set()
    rows = [{"pk": pk, **_build_state_row(decision)} for pk, decision in sorted(decisions.items())]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with connection.cursor() as cursor:
        cursor.execute(_STORE_DECISIONS_SQL, {**columns, "tick": tick, "now": now})
        return {pk for (pk,) in cursor.fetchall()}


def _build_state_row(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision.new_state, name) for name in _STATE_COLUMNS} | get_measurement_fields(
        decision.measurement
    )


def _store_failure(rule: Rule, error: Exception, tick: int, now: datetime) -> None:
    log.error("rule_failed", rule=rule.name, exc_info=error)
    record_error(get_error_code(error), error=error, outcome="recovered", place="evaluation of an alert rule", context={
        "reason": rule.name
    })  # fmt: skip
    # Neither fires nor resolves, and what has lasted so far has to last again.
    failed = {"state": RuleState.State.FAILED, "evaluated_at": now, "breached_since": None, "recovered_since": None}
    states = RuleState.objects.filter(pk=rule.pk, tick=tick)
    states.exclude(state=RuleState.State.FAILED).update(since=now)
    states.update(**failed)


# Transitions ---------------------------------------------------------------------------------------------------------


def _apply_transition(rule: Rule, decision: Decision, tick: int, now: datetime) -> None:
    """State, alert, timeline and messages together; a failure of one rule's transition leaves the others alone."""
    try:
        with transaction.atomic():
            if _store_decisions({rule.pk: decision}, tick, now):
                _TRANSITIONS[decision.action](rule, decision, now)
    except Exception as error:  # noqa: BLE001 - the others go on, and the next tick tries again
        _store_failure(rule, error, tick, now)


def _fire_rule_alert(rule: Rule, decision: Decision, now: datetime) -> None:
    fire_alert(
        source=Alert.Source.RULE,
        fingerprint=build_rule_fingerprint(rule),
        rule=rule,
        rule_as_it_was=build_rule_snapshot(rule),
        title=rule.title or rule.name,
        severity=rule.severity,
        summary=_build_summary(rule, decision),
        # A page of this site needs its address where the message is read.
        runbook_url=f"{settings.SITE_URL if rule.runbook_url.startswith('/') else ''}{rule.runbook_url}",
        measurement=decision.measurement,
        now=now,
    )


def _repeat_rule_alert(rule: Rule, decision: Decision, now: datetime) -> None:
    for alert in Alert.objects.open().filter(rule=rule):
        repeat_alert(alert, text=_build_summary(rule, decision), now=now)


def _resolve_rule_alert(rule: Rule, decision: Decision, now: datetime) -> None:
    for alert in Alert.objects.open().filter(rule=rule):
        resolve_alert(alert, text=_build_summary(rule, decision), now=now)


_TRANSITIONS = {
    AlertAction.FIRE: _fire_rule_alert,
    AlertAction.REPEAT: _repeat_rule_alert,
    AlertAction.RESOLVE: _resolve_rule_alert,
}


def _build_summary(rule: Rule, decision: Decision) -> str:
    return build_evaluation_summary(
        rule.kind, rule.metric, rule.comparison, rule.threshold, decision.measurement, decision.reason
    )


def _resolve_orphaned_alerts(now: datetime) -> None:
    """A rule that is deleted or switched off would leave its alert open for ever."""
    enabled_rules = Rule.objects.filter(is_enabled=True)
    for alert in Alert.objects.open().filter(source=Alert.Source.RULE).exclude(rule__in=enabled_rules):
        resolve_alert(alert, text="规则已停用或删除", now=now)
