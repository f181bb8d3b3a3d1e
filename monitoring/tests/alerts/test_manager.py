"""Callbacks run after the commit, and their exceptions do not reach the caller."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from errors.recording import error_recorder
from monitoring.alerts.lifecycle import fire_alert, repeat_alert, resolve_alert
from monitoring.alerts.manager import get_alert_manager
from monitoring.alerts.signals import alert_fired, alert_resolved
from monitoring.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def callback_calls() -> Iterator[list[tuple[str, bool]]]:
    calls: list[tuple[str, bool]] = []

    def callback(alert: Alert) -> None:
        assert not connection.in_atomic_block
        calls.append((alert.title, alert.is_open))

    manager = get_alert_manager()
    manager.add_callback(callback)
    manager.add_callback(callback)
    yield calls
    manager.remove_callback(callback)
    manager.remove_callback(callback)


def fire() -> Alert:
    alert = fire_alert(fingerprint="test:1", title="事件", severity="error")
    assert alert
    return alert


def test_callback_is_called_once_per_transition(callback_calls: list[tuple[str, bool]]) -> None:
    alert = fire()
    repeat_alert(alert)
    resolve_alert(alert)
    assert callback_calls == [("事件", True), ("事件", False)]


def test_callback_is_not_called_after_rollback(callback_calls: list[tuple[str, bool]]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        fire()
        _ = 1 / 0
    assert callback_calls == []


def test_exceptions_of_callbacks_are_recorded(callback_calls: list[tuple[str, bool]]) -> None:
    def failing_callback(alert: Alert) -> None:
        raise LookupError(alert.title)

    error_recorder.clear()
    get_alert_manager().add_callback(failing_callback)
    alert_fired.connect(failing_receiver)
    try:
        alert = fire()
    finally:
        get_alert_manager().remove_callback(failing_callback)
        alert_fired.disconnect(failing_receiver)
    assert alert.is_open and callback_calls == [("事件", True)]
    exceptions = sorted(occurrence.exception for occurrence in error_recorder._pending)
    assert exceptions == ["LookupError", "ZeroDivisionError"]
    error_recorder.clear()


def failing_receiver(**arguments: Any) -> None:
    raise ZeroDivisionError


def test_signals_are_sent_when_alerts_fire_and_resolve() -> None:
    sent: list[tuple[str, Alert]] = []

    def fired(alert: Alert, **rest: Any) -> None:
        sent.append(("fired", alert))

    def resolved(alert: Alert, **rest: Any) -> None:
        sent.append(("resolved", alert))

    alert_fired.connect(fired)
    alert_resolved.connect(resolved)
    try:
        alert = fire()
        resolve_alert(alert)
    finally:
        alert_fired.disconnect(fired)
        alert_resolved.disconnect(resolved)
    assert sent == [("fired", alert), ("resolved", alert)]
