"""Code that wants to know of alerts is called after the commit, and cannot harm whoever tells it."""

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
def called() -> Iterator[list[tuple[str, bool]]]:
    found: list[tuple[str, bool]] = []

    def callback(alert: Alert) -> None:
        assert not connection.in_atomic_block
        found.append((alert.title, alert.is_open))

    manager = get_alert_manager()
    manager.add_callback(callback)
    manager.add_callback(callback)
    yield found
    manager.remove_callback(callback)
    manager.remove_callback(callback)


def fire() -> Alert:
    alert = fire_alert(fingerprint="test:1", title="事件", severity="error")
    assert alert
    return alert


def test_a_callback_is_called_once_for_each_transition(called: list[tuple[str, bool]]) -> None:
    alert = fire()
    repeat_alert(alert)
    resolve_alert(alert)
    assert called == [("事件", True), ("事件", False)]


def test_nobody_is_called_of_what_is_rolled_back(called: list[tuple[str, bool]]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        fire()
        _ = 1 / 0
    assert called == []


def test_a_callback_that_raises_is_recorded_and_harms_nobody(called: list[tuple[str, bool]]) -> None:
    def broken(alert: Alert) -> None:
        raise LookupError(alert.title)

    error_recorder.clear()
    get_alert_manager().add_callback(broken)
    alert_fired.connect(broken_receiver)
    try:
        alert = fire()
    finally:
        get_alert_manager().remove_callback(broken)
        alert_fired.disconnect(broken_receiver)
    assert alert.is_open and called == [("事件", True)]
    exceptions = sorted(happening.exception for happening in error_recorder._pending)
    assert exceptions == ["LookupError", "ZeroDivisionError"]
    error_recorder.clear()


def broken_receiver(**arguments: Any) -> None:
    raise ZeroDivisionError


def test_signals_tell_of_firing_and_of_its_end() -> None:
    told: list[tuple[str, Alert]] = []

    def fired(alert: Alert, **rest: Any) -> None:
        told.append(("fired", alert))

    def resolved(alert: Alert, **rest: Any) -> None:
        told.append(("resolved", alert))

    alert_fired.connect(fired)
    alert_resolved.connect(resolved)
    try:
        alert = fire()
        resolve_alert(alert)
    finally:
        alert_fired.disconnect(fired)
        alert_resolved.disconnect(resolved)
    assert told == [("fired", alert), ("resolved", alert)]
