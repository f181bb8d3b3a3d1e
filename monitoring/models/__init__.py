"""The tables: rules and their state, alerts and silences, channels and deliveries, samples, heartbeats."""

from monitoring.models.alerts import Alert, AlertNote, Silence
from monitoring.models.dashboard import Dashboard
from monitoring.models.delivery import Channel, Delivery
from monitoring.models.rules import Rule, RuleState, SeededRule
from monitoring.models.samples import Heartbeat, Process, Sample, Series

__all__ = [
    "Alert",
    "AlertNote",
    "Channel",
    "Dashboard",
    "Delivery",
    "Heartbeat",
    "Process",
    "Rule",
    "RuleState",
    "Sample",
    "SeededRule",
    "Series",
    "Silence",
]
