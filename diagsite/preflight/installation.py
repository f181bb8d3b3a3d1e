"""What was installed and how it is set: Python, packages, Django's own checks, TLS, static files, addresses."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core import checks

from diagsite.preflight.results import FAILED, OK, WARNING, Finding

_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def check_python() -> Iterator[Finding]:
    """3.11 or later."""
    text = sys.version.split()[0]
    yield Finding(OK if sys.version_info >= (3, 11) else FAILED, text)


def check_packages() -> Iterator[Finding]:
    """Those of requirements.txt, in the versions that were tested."""
    pins = _PIN.findall((settings.BASE_DIR / "requirements.txt").read_text(encoding="utf-8"))
    wrong = [found for name, wanted in pins if (found := _difference(name, wanted))]
    yield (
        Finding(FAILED, f"pip install -r requirements.txt: {'; '.join(wrong)}")
        if wrong
        else Finding(OK, f"{len(pins)} as pinned")
    )


def _difference(name: str, wanted: str) -> str:
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    return "" if found == wanted else f"{name} is {found}, not {wanted}"


def check_settings() -> Iterator[Finding]:
    """Django's checks, in production those for a deploy as well."""
    messages = checks.run_checks(include_deployment_checks=settings.PRODUCTION)
    for message in messages:
        if message.level >= checks.WARNING and not message.is_silenced():
            yield Finding(FAILED if message.level >= checks.ERROR else WARNING, message.msg, message.id or "")
    if not messages:
        yield Finding(OK, f"{settings.ENVIRONMENT}, Django's checks have nothing to say")


def check_tls() -> Iterator[Finding]:
    """Everything goes over HTTPS, and the site knows its own address."""
    if not settings.PRODUCTION:
        yield Finding(OK, "not asked for in development")
        return
    if not settings.SECURE_SSL_REDIRECT:
        yield Finding(FAILED, "HTTPS=0: cookies and tokens travel in the clear", "redirect")
    if settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        yield Finding(WARNING, "BEHIND_PROXY=0: who terminates TLS must be this process, which cannot", "proxy")
    if settings.SECURE_HSTS_SECONDS < 3600:
        yield Finding(WARNING, "HSTS_SECONDS is less than an hour", "hsts")
    if urlsplit(settings.SITE_URL).scheme != "https":
        yield Finding(WARNING, "SITE_URL is not an https address: alerts cannot link to the site", "address")
    if settings.SECURE_SSL_REDIRECT:
        yield Finding(OK, f"redirect to HTTPS, HSTS {settings.SECURE_HSTS_SECONDS} s")


def check_static_files() -> Iterator[Finding]:
    """In production they are collected."""
    if settings.STATIC_ROOT is None:
        yield Finding(OK, "served as they are in development")
        return
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    there = manifest.is_file()
    yield Finding(OK if there else FAILED, str(manifest) if there else "run manage.py collectstatic --noinput")


def check_time_zone() -> Iterator[Finding]:
    """One that exists."""
    try:
        ZoneInfo(settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        yield Finding(FAILED, f"TIME_ZONE: there is no {settings.TIME_ZONE}")
    else:
        yield Finding(OK, settings.TIME_ZONE)


def check_wechat() -> Iterator[Finding]:
    """Users can sign in: by WeChat, or as demo devices."""
    if settings.WECHAT_APP_ID and settings.WECHAT_APP_SECRET:
        template = settings.WECHAT_TEMPLATE_ID
        yield Finding(OK, "sign-in" + (" and messages" if template else "; no messages without WECHAT_TEMPLATE_ID"))
    else:
        detail = "WECHAT_APP_ID and WECHAT_APP_SECRET are not set: no mini-program user can sign in"
        yield Finding(WARNING if settings.PRODUCTION else OK, detail)
