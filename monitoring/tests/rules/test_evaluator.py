"""Evaluation of stored samples by one and by two evaluators, with invalid rules among them."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from errors.models import ErrorEvent
from errors.recording import error_recorder
from monitoring.models import Alert, AlertNote, Channel, Delivery, Heartbeat, Rule, RuleState, Silence
from monitoring.rules.decision import AlertAction
from monitoring.rules.evaluator import evaluate_rules, run_evaluation
from testing.data.samples import BUCKET, CALLS_METRIC, NOON, make_process, write_calls

FAILED = [{"label": "outcome", "op": "!=", "values": ["valid"]}]


@pytest.fixture(autouse=True)
def clear_recorder() -> Iterator[None]:
    error_recorder.clear()
    yield
    error_recorder.clear()


def make_rule(name: str = "errors", **changes: Any) -> Rule:
    content: dict[str, Any] = {
        "title": name, "kind": "ratio", "metric": CALLS_METRIC, "matchers": FAILED, "denominator": CALLS_METRIC,
        "threshold": 0.05, "resolve_threshold": 0.03, "severity": "error", "runbook_url": "/admin/book/",
    }  # fmt: skip
    return Rule.objects.create(name=name, **content | changes)


def write_incident(platform: str = "p", minutes: tuple[int, int, int] = (5, 6, 12)) -> datetime:
    """Write healthy, failing (every second call) and healthy minutes, 10 calls per bucket; return the end."""
    before, during, after = (4 * count for count in minutes)
    end = NOON + (before + during + after) * BUCKET
    calls = [(10, 0)] * before + [(5, 5)] * during + [(10, 0)] * after
    write_calls(make_process(NOON, end), NOON, calls, platform=platform)
    return end


def list_evaluation_times(end: datetime) -> list[datetime]:
    """Return one time every 30 s."""
    return [NOON + n * BUCKET + timedelta(seconds=1) for n in range(1, int((end - NOON) / BUCKET) + 1, 2)]


@pytest.mark.django_db
def test_incident_creates_one_alert_with_values_rule_and_messages(settings: Any) -> None:
    settings.SITE_URL = "https://site.example"
    Channel.objects.create(name="ops", kind="webhook")
    make_rule()
    for now in list_evaluation_times(write_incident()):
        run_evaluation(now)
    alert = Alert.objects.get()
    assert NOON + timedelta(minutes=5) < alert.fired_at < NOON + timedelta(minutes=9)
    assert alert.resolved_at and NOON + timedelta(minutes=11) < alert.resolved_at < NOON + timedelta(minutes=20)
    assert alert.value and alert.low and alert.value > alert.low > 0.05
    assert alert.numerator == pytest.approx(alert.value * (alert.denominator or 0))
    assert alert.rule_as_it_was["threshold"] == 0.05 and alert.rule_as_it_was["matchers"] == FAILED
    assert alert.runbook_url == "https://site.example/admin/book/"
    assert list(alert.timeline.values_list("kind", flat=True)) == ["fired", "resolved"]
    assert sorted(Delivery.objects.values_list("kind", flat=True)) == ["fired", "resolved"]
    assert RuleState.objects.get().state == "ok"
    assert Heartbeat.objects.filter(name="evaluator").exists()


@pytest.mark.django_db
def test_failed_transition_is_rolled_back_and_retried(monkeypatch: Any) -> None:
    make_rule()
    moments = list_evaluation_times(write_incident())

    def break_down(*args: Any) -> None:
        raise RuntimeError("the outbox is broken")

    with monkeypatch.context() as patch:
        patch.setattr("monitoring.delivery.outbox.enqueue_deliveries", break_down)
        states = set()
        for now in moments[:20]:
            run_evaluation(now)
            states.add(RuleState.objects.get().state)
        assert not Alert.objects.exists() and not AlertNote.objects.exists()
        assert states == {"no_data", "ok", "pending", "failed"}
    for now in moments[20:]:
        run_evaluation(now)
    assert Alert.objects.count() == 1  # fires after its delay has passed again


@pytest.mark.django_db
@pytest.mark.parametrize(
    "broken",
    [
        {"metric": "diagnosis_cals_total"},
        {"matchers": [{"label": "outcome"}]},
        {"matchers": "outcome"},
        {"confidence": 1.0},
    ],
)
def test_invalid_rule_is_recorded_and_does_not_stop_others(broken: dict[str, Any]) -> None:
    make_rule("a-broken-one", **broken)
    make_rule()
    for now in list_evaluation_times(write_incident(minutes=(3, 4, 0))):
        results = run_evaluation(now)
    assert [bool(result.error) for result in results] == [True, False]
    states = dict(RuleState.objects.values_list("rule__name", "state"))
    assert states == {"a-broken-one": "failed", "errors": "firing"}
    error_recorder.flush()
    assert ErrorEvent.objects.filter(context__reason="a-broken-one").exists()


@pytest.mark.django_db
def test_too_few_samples_are_insufficient() -> None:
    make_rule()
    write_calls(make_process(NOON, NOON + 40 * BUCKET), NOON, [(0, 1)] * 5 + [(0, 0)] * 35)
    run_evaluation(NOON + 41 * BUCKET)
    state = RuleState.objects.get()
    assert (state.state, state.denominator, state.window_seconds) == ("insufficient", 5, 570)


@pytest.mark.django_db
def test_alerts_of_disabled_and_deleted_rules_are_resolved() -> None:
    rules = [make_rule("off"), make_rule("gone")]
    end = write_incident(minutes=(3, 4, 0))
    for now in list_evaluation_times(end):
        run_evaluation(now)
    assert Alert.objects.open().count() == 2
    Rule.objects.filter(pk=rules[0].pk).update(is_enabled=False)
    rules[1].delete()
    run_evaluation(end + 2 * BUCKET)
    assert not Alert.objects.open().exists()
    assert AlertNote.objects.filter(kind="resolved", text__contains="停用").count() == 2


@pytest.mark.django_db
def test_renamed_rule_keeps_its_alert() -> None:
    rule = make_rule()
    end = write_incident(minutes=(3, 4, 0))
    for now in list_evaluation_times(end):
        run_evaluation(now)
    Rule.objects.filter(pk=rule.pk).update(name="renamed")
    run_evaluation(end + BUCKET)
    assert Alert.objects.count() == 1


@pytest.mark.django_db
def test_tick_is_evaluated_once_and_outdated_results_are_dropped(monkeypatch: Any) -> None:
    make_rule()
    moments = list_evaluation_times(write_incident(minutes=(3, 4, 0)))
    assert len(run_evaluation(moments[10])) == 1
    assert run_evaluation(moments[10] + timedelta(seconds=3)) == []
    assert run_evaluation(moments[8]) == []

    def evaluate_and_lose_claim(rules: Any, now: datetime) -> Any:
        results = evaluate_rules(rules, now)
        RuleState.objects.update(tick=10**12)  # another evaluator has claimed a later tick meanwhile
        return results

    before = RuleState.objects.values("state", "evaluated_at").get()
    monkeypatch.setattr("monitoring.rules.evaluator.evaluate_rules", evaluate_and_lose_claim)
    run_evaluation(moments[12])
    assert RuleState.objects.values("state", "evaluated_at").get() == before


@pytest.mark.django_db
def test_dry_evaluation_stores_nothing() -> None:
    make_rule(for_seconds=0)
    end = write_incident(minutes=(3, 4, 0))
    outcome = evaluate_rules(Rule.objects.all(), end)[0]
    assert outcome.decision and outcome.decision.action is AlertAction.FIRE
    assert not Alert.objects.exists() and not RuleState.objects.exists()


@pytest.mark.django_db
def test_invalid_silence_suppresses_nothing() -> None:
    Silence.objects.create(comment="broken", matchers=[{"labl": 1}], weekly="?", ends_at=NOON + timedelta(days=9),
                           starts_at=NOON - timedelta(days=1))  # fmt: skip
    Channel.objects.create(name="ops", kind="webhook")
    make_rule()
    for now in list_evaluation_times(write_incident(minutes=(3, 4, 0))):
        run_evaluation(now)
    assert Delivery.objects.filter(kind="fired").count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_evaluators_create_one_alert() -> None:
    """Each evaluator has its own connection; bench/alerts/evaluators.py runs a thousand ticks."""
    make_rule()
    moments = list_evaluation_times(write_incident(minutes=(3, 6, 12)))
    gate, failures = threading.Barrier(2), []

    def evaluate_all() -> None:
        try:
            for now in moments:
                gate.wait(30)
                run_evaluation(now)
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)
            gate.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=evaluate_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Alert.objects.count() == 1
    assert list(AlertNote.objects.values_list("kind", flat=True)) == ["fired", "resolved"]
