"""The site's settings without any instrument of ours: what their cost is measured against."""

from diagsite.settings import *  # noqa: F403
from diagsite.settings import DATABASES, MIDDLEWARE

MIDDLEWARE = [one for one in MIDDLEWARE if one != "monitoring.instrumentation.http.count_requests"]
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
PROCRASTINATE_ON_APP_READY = ""
SAMPLES_FLUSH_SECONDS = 0.0
