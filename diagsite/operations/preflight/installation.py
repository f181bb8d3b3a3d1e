"""Checks of the installation: Python, packages, settings, TLS, static files, time zone, WeChat."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core import checks

from diagsite.operations.preflight.results import FAILED, OK, WARNING, CheckFinding

_PINNED_REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


FAILING_WARNINGS = {"security.W009", "security.W018"}  # a short SECRET_KEY, DEBUG in production


def check_python() -> Iterator[CheckFinding]:
    """Check that Python is 3.11 or later."""
    text = sys.version.split()[0]
    yield CheckFinding(OK if sys.version_info >= (3, 11) else FAILED, text)


def check_packages() -> Iterator[CheckFinding]:
    """Check that the packages have the versions of requirements.txt."""
    pins = _PINNED_REQUIREMENT.findall((settings.BASE_DIR / "requirements.txt").read_text(encoding="utf-8"))
    mismatches = []
    for name, pinned in pins:
        try:
            installed = version(name)
        except PackageNotFoundError:
            mismatches.append(f"{name} is missing")
        else:
            mismatches += [] if installed == pinned else [f"{name} is {installed}, not {pinned}"]
    yield (
        CheckFinding(FAILED, f"pip install -r requirements.txt: {'; '.join(mismatches)}")
        if mismatches
        else CheckFinding(OK, f"{len(pins)} as pinned")
    )


def check_settings() -> Iterator[CheckFinding]:
    """Run Django's checks, in production also those for deployment."""
    messages = checks.run_checks(include_deployment_checks=settings.PRODUCTION)
    for message in messages:
        if message.level >= checks.WARNING and not message.is_silenced():
            is_failure = message.level >= checks.ERROR or message.id in FAILING_WARNINGS
            yield CheckFinding(FAILED if is_failure else WARNING, message.msg, message.id or "")
    if not messages:
        yield CheckFinding(OK, f"{settings.ENVIRONMENT}, no messages from Django's checks")


def check_tls() -> Iterator[CheckFinding]:
    """Check that HTTPS is required and SITE_URL is set."""
    if not settings.PRODUCTION:
        yield CheckFinding(OK, "not required in development")
        return
    if not settings.SECURE_SSL_REDIRECT:
        yield CheckFinding(FAILED, "HTTPS=0: cookies and tokens are sent unencrypted", "redirect")
    if settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        yield CheckFinding(WARNING, "BEHIND_PROXY=0: no proxy terminates TLS, and this process cannot", "proxy")
    if settings.SECURE_HSTS_SECONDS < 3600:
        yield CheckFinding(WARNING, "HSTS_SECONDS is less than an hour", "hsts")
    if urlsplit(settings.SITE_URL).scheme != "https":
        yield CheckFinding(WARNING, "SITE_URL is not an https URL, so alerts cannot link to the site", "address")
    if settings.SECURE_SSL_REDIRECT:
        yield CheckFinding(OK, f"redirect to HTTPS, HSTS {settings.SECURE_HSTS_SECONDS} s")


def check_static_files() -> Iterator[CheckFinding]:
    """Check that static files are collected in production."""
    if settings.STATIC_ROOT is None:
        yield CheckFinding(OK, "not collected in development")
        return
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    is_collected = manifest.is_file()
    yield CheckFinding(
        OK if is_collected else FAILED, str(manifest) if is_collected else "run manage.py collectstatic --noinput"
    )


def check_time_zone() -> Iterator[CheckFinding]:
    """Check that the time zone exists."""
    try:
        ZoneInfo(settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        yield CheckFinding(FAILED, f"TIME_ZONE: unknown time zone {settings.TIME_ZONE}")
    else:
        yield CheckFinding(OK, settings.TIME_ZONE)


def _check_review() -> Iterator[CheckFinding]:
    missing = [name for name in ("OPERATOR_NAME", "OPERATOR_CONTACT", "AIGC_PRODUCER") if not getattr(settings, name)]
    if missing:
        yield CheckFinding(
            WARNING, f"not set, but the documents and labels need them: {', '.join(missing)}", "operator"
        )
    if settings.MODERATION_MINIPROGRAM == "off":
        yield CheckFinding(
            WARNING, "MODERATION_MINIPROGRAM=off: the review requires checks of typed texts", "moderation"
        )


def check_wechat() -> Iterator[CheckFinding]:
    """Check that mini-program users can sign in, and what the review of the mini-program asks for."""
    if settings.WECHAT_APP_ID and settings.WECHAT_APP_SECRET:
        if settings.PRODUCTION:
            yield from _check_review()
        template = settings.WECHAT_TEMPLATE_ID
        yield CheckFinding(
            OK, "sign-in" + (" and messages" if template else "; no messages without WECHAT_TEMPLATE_ID")
        )
    else:
        detail = "WECHAT_APP_ID and WECHAT_APP_SECRET are not set: no mini-program user can sign in"
        yield CheckFinding(WARNING if settings.PRODUCTION else OK, detail)
