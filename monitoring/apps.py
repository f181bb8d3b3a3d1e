from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Health and metrics."""

    name = "monitoring"
    verbose_name = "监控"
