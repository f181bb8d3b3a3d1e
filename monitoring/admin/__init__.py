"""The operators' pages."""

from monitoring.admin import alerts, channels, dashboard, deliveries, rules, silences

__all__ = ["alerts", "channels", "dashboard", "deliveries", "rules", "silences"]
