"""Signals with the argument `alert`, sent after the commit. Exceptions of receivers are recorded, not raised."""

from django.dispatch import Signal

alert_fired = Signal()
alert_resolved = Signal()
