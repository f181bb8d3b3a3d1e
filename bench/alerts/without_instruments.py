"""The site's settings without instruments, the baseline of their cost."""

from diagsite.settings import *  # noqa: F403
from diagsite.settings import DATABASES, MIDDLEWARE

MIDDLEWARE = [middleware for middleware in MIDDLEWARE if middleware != "monitoring.instrumentation.http.count_requests"]
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
PROCRASTINATE_ON_APP_READY = ""
SAMPLES_FLUSH_SECONDS = 0.0
