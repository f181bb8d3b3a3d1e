"""For code that wants to know: sent after the commit, with `alert`. Receivers that raise are recorded, not raised."""

from django.dispatch import Signal

alert_fired = Signal()
alert_resolved = Signal()
