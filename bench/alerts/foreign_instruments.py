"""The site's settings with django-prometheus' middlewares instead of ours."""

from diagsite.settings import *  # noqa: F403
from diagsite.settings import MIDDLEWARE

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    *(one for one in MIDDLEWARE if one != "monitoring.instrumentation.http.count_requests"),
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
