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

from errors.exceptions import code_of
from errors.recording import record
from monitoring import watchdog
from monitoring.alerting import fire_alert, repeat_alert, resolve_alert
from monitoring.conditions import Condition, condition_of, measured_fields, snapshot_of
from monitoring.evaluation import Action, Decision, Standing, decide
from monitoring.explaining import summary_of
from monitoring.models import Alert, Rule, RuleState
from monitoring.silences import tell_what_was_held_back
from monitoring.windows import Reading, end_of_samples

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule: a decision, or why there is none."""

    rule: Rule
    decision: Decision | None
    error: Exception | None = None


def evaluate_now(now: datetime | None = None) -> list[Outcome]:
    """Evaluate every enabled rule that nobody has evaluated in this tick; returns those that were.

    A rule that cannot be evaluated becomes FAILED and is recorded; the others go on. The database's own errors that
    concern all are raised.
    """
    now = now or timezone.now()
    for step in (tell_what_was_held_back, _end_alerts_of_rules_that_are_gone):
        _try(step, now)
    _add_missing_states()
    tick = tick_of(now)
    outcomes = evaluate(_claimed(tick), now)
    quiet = [one for one in outcomes if one.decision is None or one.decision.action is Action.NOTHING]
    _store_all(quiet, tick, now)
    for one in outcomes:
        if one.decision and one.decision.action is not Action.NOTHING:
            _carry_out(one.rule, one.decision, tick, now)
    watchdog.beat(watchdog.EVALUATOR, INTERVAL_SECONDS)
    return outcomes


def _try(step: Callable[[datetime], object], now: datetime) -> None:
    """What is done besides must not keep rules from being evaluated."""
    try:
        step(now)
    except Exception as error:
        log.exception("evaluator_step_failed", step=step.__name__)
        record(code_of(error), error=error, outcome="recovered", place=f"monitoring.evaluator:{step.__name__}")


def tick_of(now: datetime) -> int:
    """The number of the evaluation."""
    return int(now.timestamp() // INTERVAL_SECONDS)


def evaluate(rules: Iterable[Rule], now: datetime) -> list[Outcome]:
    """What would become of these rules now; changes nothing."""
    rules = list(rules)
    conditions: dict[int, Condition] = {}
    failures: dict[int, Exception] = {}
    for rule in rules:
        try:
            conditions[rule.pk] = condition_of(rule)
        except Exception as error:  # noqa: BLE001 - one broken rule must not stop the others
            failures[rule.pk] = error
    reading = Reading([need for one in conditions.values() for need in one.needs], end_of_samples(now))
    standings = standings_of(rules)
    return [
        Outcome(rule, None, failures[rule.pk])
        if rule.pk in failures
        else _evaluate_one(rule, conditions[rule.pk], reading, standings[rule.pk], now)
        for rule in rules
    ]


def _evaluate_one(rule: Rule, condition: Condition, reading: Reading, standing: Standing, now: datetime) -> Outcome:
    try:
        return Outcome(rule, decide(condition.parameters, standing, condition.sums_of(reading), now))
    except Exception as error:  # noqa: BLE001 - one broken rule must not stop the others
        return Outcome(rule, None, error)


def standings_of(rules: Iterable[Rule]) -> dict[int, Standing]:
    """{rule: where it stands}; whether it fires is what its open alert says."""
    rules = list(rules)
    open_alerts = {alert.rule_id: alert for alert in Alert.objects.open().filter(rule__in=rules)}
    states = {state.pk: state for state in RuleState.objects.filter(pk__in=[rule.pk for rule in rules])}
    return {
        rule.pk: _standing_of(states.get(rule.pk), open_alerts.get(rule.pk)) for rule in rules
    }  # fmt: skip


def _standing_of(state: RuleState | None, alert: Alert | None) -> Standing:
    state = state or RuleState()
    return Standing(
        state=state.state,
        since=state.since,
        breached_since=state.breached_since,
        recovered_since=state.recovered_since,
        resolved_at=state.resolved_at,
        is_open=alert is not None,
        notified_at=(alert.notified_at or alert.fired_at) if alert else None,
        is_acknowledged=bool(alert and alert.acknowledged_at),
    )


def fingerprint_of(rule: Rule) -> str:
    """What the alerts of a rule are about."""
    return f"rule:{rule.name}"


# Claiming and storing ------------------------------------------------------------------------------------------------

_CLAIM = """
UPDATE monitoring_rulestate SET tick = %s
WHERE tick < %s AND rule_id IN (
    SELECT rule_id FROM monitoring_rulestate JOIN monitoring_rule ON id = rule_id AND is_enabled
    WHERE tick < %s ORDER BY rule_id FOR UPDATE OF monitoring_rulestate SKIP LOCKED)
RETURNING rule_id
"""


def _claimed(tick: int) -> list[Rule]:
    """The rules that are ours in this tick. One that somebody is storing at this moment waits for the next."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [tick, tick, tick])
        ours = [pk for (pk,) in cursor.fetchall()]
    return list(Rule.objects.filter(pk__in=ours).order_by("name")) if ours else []


def _add_missing_states() -> None:
    missing = Rule.objects.filter(is_enabled=True, state=None).values_list("pk", flat=True)
    RuleState.objects.bulk_create([RuleState(rule_id=pk) for pk in missing], ignore_conflicts=True)


_STORE = """
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
_KEPT = ["state", "since", "breached_since", "recovered_since", "resolved_at"]


def _store_all(outcomes: list[Outcome], tick: int, now: datetime) -> None:
    """In one statement, in one order in every process."""
    decided = [one for one in outcomes if one.decision]
    _store({one.rule.pk: one.decision for one in decided if one.decision}, tick, now)
    for one in outcomes:
        if one.error:
            _store_failure(one.rule, one.error, tick, now)


def _store(decisions: Mapping[int, Decision], tick: int, now: datetime) -> set[int]:
    """Returns the rules that nobody else has claimed for a later tick; the others stay as they are."""
    if not decisions:
        return set()
    rows = [{"pk": pk, **_row_of(decision)} for pk, decision in sorted(decisions.items())]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with connection.cursor() as cursor:
        cursor.execute(_STORE, {**columns, "tick": tick, "now": now})
        return {pk for (pk,) in cursor.fetchall()}


def _row_of(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision.standing, name) for name in _KEPT} | measured_fields(decision.measured)


def _store_failure(rule: Rule, error: Exception, tick: int, now: datetime) -> None:
    log.error("rule_failed", rule=rule.name, exc_info=error)
    record(code_of(error), error=error, outcome="recovered", place="evaluation of an alert rule", context={
        "reason": rule.name
    })  # fmt: skip
    # Neither fires nor resolves, and what has lasted so far has to last again.
    failed = {"state": RuleState.State.FAILED, "evaluated_at": now, "breached_since": None, "recovered_since": None}
    states = RuleState.objects.filter(pk=rule.pk, tick=tick)
    states.exclude(state=RuleState.State.FAILED).update(since=now)
    states.update(**failed)


# Transitions ---------------------------------------------------------------------------------------------------------


def _carry_out(rule: Rule, decision: Decision, tick: int, now: datetime) -> None:
    """State, alert, timeline and messages together; a failure of one rule's transition leaves the others alone."""
    try:
        with transaction.atomic():
            if _store({rule.pk: decision}, tick, now):
                _TRANSITIONS[decision.action](rule, decision, now)
    except Exception as error:  # noqa: BLE001 - the others go on, and the next tick tries again
        _store_failure(rule, error, tick, now)


def _fire(rule: Rule, decision: Decision, now: datetime) -> None:
    fire_alert(
        source=Alert.Source.RULE,
        fingerprint=fingerprint_of(rule),
        rule=rule,
        rule_as_it_was=snapshot_of(rule),
        title=rule.title or rule.name,
        severity=rule.severity,
        summary=_words(rule, decision),
        # A page of this site needs its address where the message is read.
        runbook_url=f"{settings.SITE_URL if rule.runbook_url.startswith('/') else ''}{rule.runbook_url}",
        measured=decision.measured,
        now=now,
    )


def _repeat(rule: Rule, decision: Decision, now: datetime) -> None:
    for alert in Alert.objects.open().filter(rule=rule):
        repeat_alert(alert, text=_words(rule, decision), now=now)


def _resolve(rule: Rule, decision: Decision, now: datetime) -> None:
    for alert in Alert.objects.open().filter(rule=rule):
        resolve_alert(alert, text=_words(rule, decision), now=now)


_TRANSITIONS = {Action.FIRE: _fire, Action.REPEAT: _repeat, Action.RESOLVE: _resolve}


def _words(rule: Rule, decision: Decision) -> str:
    return summary_of(rule.kind, rule.metric, rule.comparison, rule.threshold, decision.measured, decision.why)


def _end_alerts_of_rules_that_are_gone(now: datetime) -> None:
    """A rule that is deleted or switched off would leave its alert open for ever."""
    watched = Rule.objects.filter(is_enabled=True)
    for alert in Alert.objects.open().filter(source=Alert.Source.RULE).exclude(rule__in=watched):
        resolve_alert(alert, text="规则已停用或删除", now=now)
