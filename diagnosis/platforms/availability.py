"""Whether a platform can be called now, and why not."""

from datetime import datetime
from enum import StrEnum

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from diagnosis.choices import ClientKind, FailureReason
from diagnosis.models import Platform
from diagnosis.platforms.endpoint import has_usable_key


class Obstacle(StrEnum):
    """Reason why a platform cannot be called."""

    DISABLED = "disabled"
    NOT_OFFERED = "not_offered"
    NO_KEY = "no_key"
    PAUSED = "paused"


def find_obstacle(platform: Platform, client: ClientKind | None = None) -> Obstacle | None:
    """Return why the platform is not called now; None if it is. client: of the account that asks, if one asks."""
    if not platform.is_enabled:
        return Obstacle.DISABLED
    if client is not None and not platform.is_offered_to(client):
        return Obstacle.NOT_OFFERED
    if not has_usable_key(platform):
        return Obstacle.NO_KEY
    return Obstacle.PAUSED if platform.is_paused else None


def describe_obstacle(platform: Platform, client: ClientKind | None = None) -> str:
    """Return why the platform is not called now, localized; empty if it is. client: as in `find_obstacle`."""
    match find_obstacle(platform, client):
        case Obstacle.DISABLED:
            return _("已停用")
        case Obstacle.NOT_OFFERED:
            return _("不在此处提供")
        case Obstacle.NO_KEY:
            return _("没有密钥")
        case Obstacle.PAUSED:
            return _("暂停至 %(time)s") % {"time": _format_pause_end(platform)}
        case None:
            return ""


def get_pause_end(platform: Platform) -> datetime | None:
    """Return the end of its pause; None if it is not paused."""
    return platform.paused_until if platform.is_paused else None


def describe_pause_reason(platform: Platform) -> str:
    """Return the reason of its pause, localized."""
    reason = platform.pause_reason
    return str(FailureReason(reason).label) if reason in FailureReason.values else _("原因未知")


def _format_pause_end(platform: Platform) -> str:
    """Return the end of its pause in the site's time zone, with the zone's name; the day if it is not today."""
    assert platform.paused_until
    zone = timezone.get_default_timezone()
    until = platform.paused_until.astimezone(zone)
    is_today = until.date() == timezone.now().astimezone(zone).date()
    text = date_format(until, "H:i" if is_today else "Y-m-d H:i")
    return f"{text}（{timezone.get_default_timezone_name()}）"
