"""Production refuses known placeholders and debug pages; a debug page shows no secret."""

import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import RequestFactory
from django.views.debug import ExceptionReporter, get_exception_reporter_filter

from diagsite.server.unsafe_settings import find_placeholders

SECRET = "wRn4-u2Yt_0kPz8s1LqX5vB7cH9dJ3eM6fA"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "ALLOWED_HOSTS": "site.example",
    "DATABASE_URL": f"postgresql://diagsite:{SECRET}@127.0.0.1:1/diagsite",
    "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1/0",
    "SECRET_KEY": SECRET * 2,
    "METRICS_TOKEN": SECRET,
}


def _load_settings(**variables: str) -> str:
    """Return the last line that a process writes which loads the settings; empty if it can."""
    started = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import diagsite.settings"],
        env={"PATH": "", **PRODUCTION, **variables},
        cwd=site_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(started.returncode) == bool(started.stderr), started.stderr
    return (started.stderr.strip().splitlines() or [""])[-1]


def test_production_starts_with_generated_secrets_only() -> None:
    assert _load_settings() == ""
    refusal = _load_settings(
        DEBUG="1",
        SECRET_KEY="change-me",
        SECRET_KEY_FALLBACKS=f"{SECRET},changeme",
        METRICS_TOKEN="change-me-too",
        ALERTMANAGER_TOKEN="Change_Me",
        ALERT_SECRETS_KEY=f"{SECRET},secret",
        WECHAT_APP_SECRET="xxxxxxxx",
        DATABASE_URL="postgresql://diagsite:password@127.0.0.1:1/diagsite",
        REDIS_URL="redis://:change%2Dme@127.0.0.1:1/0",
        EMAIL_URL="smtp://site:your-password@127.0.0.1:1",
    )
    assert "ImproperlyConfigured" in refusal
    for name in (
        *("DEBUG", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "METRICS_TOKEN", "ALERTMANAGER_TOKEN"),
        *("ALERT_SECRETS_KEY", "WECHAT_APP_SECRET", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"),
    ):
        assert f"{name}" in refusal
    assert SECRET not in refusal


def test_every_secret_of_the_example_file_is_refused() -> None:
    lines = (site_settings.BASE_DIR / "deploy" / "environment.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert find_placeholders(values) == ["SECRET_KEY", "DATABASE_URL", "METRICS_TOKEN"]


@pytest.mark.parametrize("value", ["", SECRET, "redis://127.0.0.1:1/0", "https://[bad", "change-me-" + SECRET])
def test_other_values_are_accepted(value: str) -> None:
    assert find_placeholders({"X": value}) == []


def test_debug_page_shows_no_secret(settings: Any) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "HEARTBEAT_PING_URL", "METRICS_TOKEN"):
        setattr(settings, name, f"scheme://someone:{SECRET}@host/{SECRET}")
    settings.CACHES = {"default": {"LOCATION": [f"redis://:{SECRET}@host"]}}
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [{"address": f"redis://a:{SECRET}@host"}]}}}
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {SECRET}"})
    assert SECRET not in str(get_exception_reporter_filter(request).get_safe_settings())
    page = ExceptionReporter(request, ValueError, ValueError("x"), None).get_traceback_html()
    assert "REDIS_URL" in page
    assert SECRET not in page
