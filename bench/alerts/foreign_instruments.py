"""The site's settings with the middlewares of django-prometheus instead of the site's own."""

from diagsite.settings import *  # noqa: F403
from diagsite.settings import MIDDLEWARE

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    *(middleware for middleware in MIDDLEWARE if middleware != "monitoring.instrumentation.http.count_requests"),
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
