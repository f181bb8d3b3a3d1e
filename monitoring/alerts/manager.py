"""For code that wants to know of every alert: `get_alert_manager().add_callback(fn)`, called as `fn(alert)`.

Callbacks live in the process that evaluates, after the commit. What they raise is recorded and harms nobody.
"""

import threading
from collections.abc import Callable

import structlog

from errors.exceptions import get_error_code
from errors.recording import record_error
from monitoring.alerts.signals import alert_fired, alert_resolved
from monitoring.models import Alert

log = structlog.get_logger(__name__)

AlertCallback = Callable[[Alert], object]

FIRED, REPEATED, RESOLVED = "fired", "repeated", "resolved"
_SIGNALS = {FIRED: alert_fired, RESOLVED: alert_resolved}


class AlertManager:
    """Who is called when an alert fires or is resolved (`alert.is_open` tells which). Safe to use from threads."""

    def __init__(self) -> None:
        self._callbacks: list[AlertCallback] = []
        self._lock = threading.Lock()

    def add_callback(self, callback: AlertCallback) -> None:
        """Call `callback(alert)` from now on; added twice, it is called once."""
        with self._lock:
            if callback not in self._callbacks:
                self._callbacks.append(callback)

    def remove_callback(self, callback: AlertCallback) -> None:
        """Call it no more; one that was never added is no error."""
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def notify(self, alert: Alert, kind: str) -> None:
        """Call everybody about a transition that is committed. A repeated notification is none: nobody is called."""
        signal = _SIGNALS.get(kind)
        if signal is None:
            return
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback(alert)
            except Exception as error:  # noqa: BLE001 - somebody else's code must not stop an evaluation
                _record_callback_error(error, alert, kind, callback)
        for receiver, answer in signal.send_robust(sender=Alert, alert=alert):
            if isinstance(answer, Exception):
                _record_callback_error(answer, alert, kind, receiver)


def _record_callback_error(error: Exception, alert: Alert, kind: str, receiver: object) -> None:
    name = getattr(receiver, "__qualname__", repr(receiver))
    log.error("alert_callback_failed", alert=alert.pk, kind=kind, callback=name, exc_info=error)
    record_error(get_error_code(error), error=error, outcome="recovered", place=f"alert callback {name[:80]}")


_manager = AlertManager()


def get_alert_manager() -> AlertManager:
    """The manager of this process."""
    return _manager


def notify_alert_callbacks(alert: Alert, kind: str) -> None:
    """What alerting calls in `on_commit`: "fired", "repeated" or "resolved"."""
    _manager.notify(alert, kind)
