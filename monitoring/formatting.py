"""Numbers and times as text."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

NO_VALUE = "–"


def format_figure(value: float | None, unit: str) -> str:
    """Format a value: `98.2 %`, `1.24 秒`, `3.5`, `120`; a dash for None."""
    if value is None:
        return NO_VALUE
    if unit == "percent":
        return f"{number_format(value * 100, 0 if value in (0, 1) else 1)} %"
    if unit == "seconds":
        return _("%(seconds)s 秒") % {"seconds": _format_three_digits(value)}
    return _format_three_digits(value)


def _format_three_digits(value: float) -> str:
    if value == int(value):
        return number_format(int(value))
    return number_format(value, 2 if value < 10 else 1 if value < 100 else 0)


def format_duration(seconds: float) -> str:
    """Return `2 小时 5 分 30 秒`, `5 分 30 秒` or `30 秒`; for messages, which are not translated."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} 小时 " if hours else "") + (f"{minutes} 分 " if hours or minutes else "") + f"{rest} 秒"


def format_moment(moment: datetime, *, is_long: bool = False) -> str:
    """Return `14:05`, or `11-23 14:05` if is_long, in the site's time zone."""
    return timezone.localtime(moment).strftime("%m-%d %H:%M" if is_long else "%H:%M")
