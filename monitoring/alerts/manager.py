"""Callbacks for code that reacts to every alert: `get_alert_manager().add_callback(fn)`, called as `fn(alert)`.

Callbacks run after the commit, in the process that evaluates the rules. Their exceptions are recorded, not raised.
"""

import threading
from collections.abc import Callable

import structlog

from errors.exceptions import get_error_code
from errors.recording import record_error
from monitoring.alerts.signals import alert_fired, alert_resolved
from monitoring.models import Alert, AlertNote

log = structlog.get_logger(__name__)

AlertCallback = Callable[[Alert], object]

_SIGNALS = {AlertNote.Kind.FIRED: alert_fired, AlertNote.Kind.RESOLVED: alert_resolved}


class AlertManager:
    """The callbacks for alerts that fire or are resolved (see `alert.is_open`). Thread-safe."""

    def __init__(self) -> None:
        self._callbacks: list[AlertCallback] = []
        self._lock = threading.Lock()

    def add_callback(self, callback: AlertCallback) -> None:
        """Register a callback; registering it twice has no effect."""
        with self._lock:
            if callback not in self._callbacks:
                self._callbacks.append(callback)

    def remove_callback(self, callback: AlertCallback) -> None:
        """Unregister a callback; an unknown one is ignored."""
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def notify(self, alert: Alert, kind: AlertNote.Kind) -> None:
        """Call every callback and signal receiver after a committed transition; repeated notifications call none."""
        signal = _SIGNALS.get(kind)
        if signal is None:
            return
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback(alert)
            except Exception as error:  # noqa: BLE001 - a failing callback must not stop an evaluation
                _record_callback_error(error, alert, kind, callback)
        for receiver, result in signal.send_robust(sender=Alert, alert=alert):
            if isinstance(result, Exception):
                _record_callback_error(result, alert, kind, receiver)


def _record_callback_error(error: Exception, alert: Alert, kind: str, receiver: object) -> None:
    name = getattr(receiver, "__qualname__", repr(receiver))
    log.error("alert_callback_failed", alert=alert.pk, kind=kind, callback=name, exc_info=error)
    record_error(get_error_code(error), error=error, outcome="recovered", place=f"alert callback {name[:80]}")


_manager = AlertManager()


def get_alert_manager() -> AlertManager:
    """Return the manager of this process."""
    return _manager


def notify_alert_callbacks(alert: Alert, kind: AlertNote.Kind) -> None:
    """Call the callbacks of this process; for `transaction.on_commit`."""
    _manager.notify(alert, kind)
