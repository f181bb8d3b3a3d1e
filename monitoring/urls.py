"""Routes for load balancers, Prometheus and Alertmanager."""

from django.urls import path

from monitoring.integrations.alertmanager import receive_alerts
from monitoring.views import healthz, healthz_full, metrics, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("healthz/full", healthz_full, name="healthz-full"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("monitoring/alertmanager", receive_alerts, name="alertmanager"),
]
