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
from errors.terminal import gettext as _

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
            mismatches.append(_("缺少 %(name)s") % {"name": name})
        else:
            mismatches += (
                []
                if installed == pinned
                else [
                    _("%(name)s 是 %(installed)s，不是 %(pinned)s")
                    % {"name": name, "installed": installed, "pinned": pinned}
                ]
            )
    yield (
        CheckFinding(FAILED, f"pip install -r requirements.txt: {'; '.join(mismatches)}")
        if mismatches
        else CheckFinding(OK, _("%(count)d 个，与要求的版本一致") % {"count": len(pins)})
    )


def check_settings() -> Iterator[CheckFinding]:
    """Run Django's checks, in production also those for deployment."""
    messages = checks.run_checks(include_deployment_checks=settings.PRODUCTION)
    for message in messages:
        if message.level >= checks.WARNING and not message.is_silenced():
            is_failure = message.level >= checks.ERROR or message.id in FAILING_WARNINGS
            yield CheckFinding(FAILED if is_failure else WARNING, message.msg, message.id or "")
    if not messages:
        yield CheckFinding(OK, _("%(environment)s，Django 的检查没有提示") % {"environment": settings.ENVIRONMENT})


def check_tls() -> Iterator[CheckFinding]:
    """Check that HTTPS is required and SITE_URL is set."""
    if not settings.PRODUCTION:
        yield CheckFinding(OK, _("开发环境不需要"))
        return
    if not settings.SECURE_SSL_REDIRECT:
        yield CheckFinding(FAILED, _("HTTPS=0：Cookie 和令牌以明文传输"), "redirect")
    if settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        yield CheckFinding(WARNING, _("BEHIND_PROXY=0：没有代理终止 TLS，而本进程不支持 TLS"), "proxy")
    if settings.SECURE_HSTS_SECONDS < 3600:
        yield CheckFinding(WARNING, _("HSTS_SECONDS 小于一小时"), "hsts")
    if urlsplit(settings.SITE_URL).scheme != "https":
        yield CheckFinding(WARNING, _("SITE_URL 不是 https 地址，告警中无法附上网站的链接"), "address")
    if settings.SECURE_SSL_REDIRECT:
        yield CheckFinding(OK, _("跳转到 HTTPS，HSTS %(seconds)d 秒") % {"seconds": settings.SECURE_HSTS_SECONDS})


def check_static_files() -> Iterator[CheckFinding]:
    """Check that static files are collected in production."""
    if settings.STATIC_ROOT is None:
        yield CheckFinding(OK, _("开发环境不需要收集"))
        return
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    is_collected = manifest.is_file()
    yield CheckFinding(
        OK if is_collected else FAILED, str(manifest) if is_collected else _("请运行 manage.py collectstatic --noinput")
    )


def check_time_zone() -> Iterator[CheckFinding]:
    """Check that the time zone exists."""
    try:
        ZoneInfo(settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        yield CheckFinding(FAILED, _("TIME_ZONE：没有时区 %(name)s") % {"name": settings.TIME_ZONE})
    else:
        yield CheckFinding(OK, settings.TIME_ZONE)


def _check_review() -> Iterator[CheckFinding]:
    missing = [name for name in ("OPERATOR_NAME", "OPERATOR_CONTACT", "AIGC_PRODUCER") if not getattr(settings, name)]
    if missing:
        yield CheckFinding(
            WARNING, _("没有设置，但法律文件和标识需要：%(names)s") % {"names": ", ".join(missing)}, "operator"
        )
    if settings.MODERATION_MINIPROGRAM == "off":
        yield CheckFinding(WARNING, _("MODERATION_MINIPROGRAM=off：审核要求检查用户输入的文字"), "moderation")


def check_wechat() -> Iterator[CheckFinding]:
    """Check that mini-program users can sign in, and what the review of the mini-program asks for."""
    if settings.WECHAT_APP_ID and settings.WECHAT_APP_SECRET:
        if settings.PRODUCTION:
            yield from _check_review()
        template = settings.WECHAT_TEMPLATE_ID
        yield CheckFinding(
            OK, _("可以登录和发送消息") if template else _("可以登录；没有 WECHAT_TEMPLATE_ID，不能发送消息")
        )
    else:
        detail = _("没有设置 WECHAT_APP_ID 和 WECHAT_APP_SECRET：小程序用户无法登录")
        yield CheckFinding(WARNING if settings.PRODUCTION else OK, detail)
