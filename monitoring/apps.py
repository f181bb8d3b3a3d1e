from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Health checks, metrics, alerts, and the operators' dashboard."""

    name = "monitoring"
    verbose_name = "监控"

    def ready(self) -> None:
        """Publish alerts to open dashboards."""
        from monitoring.alerts.signals import alert_fired, alert_resolved
        from monitoring.dashboard.push import publish_alert

        for signal in (alert_fired, alert_resolved):
            signal.connect(publish_alert, dispatch_uid="monitoring.dashboard.push")
