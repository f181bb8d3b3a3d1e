"""A platform that was paused is asked one cheap question before it is called healthy again."""

from datetime import datetime, timedelta

import structlog
from channels.db import database_sync_to_async
from django.utils import timezone

from diagnosis.choices import FailureReason
from diagnosis.exceptions import CallFailed
from diagnosis.models import Platform
from diagnosis.platforms.limits import get_platform_limits
from diagnosis.platforms.openai_client import ask_platform
from diagnosis.running.state_machine import PAUSE_DURATIONS

log = structlog.get_logger(__name__)

PROBE_QUESTION = "请只回答一个字：好"
PROBE_TIMEOUT_SECONDS = 20
PROBE_INTERVAL = timedelta(minutes=1)  # also how long a probe is one worker's


def awaits_probe(platform: Platform) -> bool:
    """Whether its pause is over but not, for all we know, what caused it. The demo platform is never asked."""
    until = platform.paused_until
    return bool(not platform.is_demo and platform.pause_reason and until and until <= timezone.now())


async def probe_paused_platforms() -> int:
    """Probe what is due; returns how many were asked. Workers that do this at once share the platforms out."""
    due = await _aclaim_due_platforms()
    for platform, claimed_until in due:
        until, reason = await _probe_platform(platform)
        await _astore_probe_result(platform.pk, claimed_until, until, reason)
        log.info("platform_probed", platform=platform.pk, reason=reason, until=until and until.isoformat())
    return len(due)


def _claim_due_platforms() -> list[tuple[Platform, datetime]]:
    now = timezone.now()
    due = Platform.objects.filter(is_enabled=True, is_demo=False, paused_until__lte=now).exclude(pause_reason="")
    until = now + PROBE_INTERVAL
    # Whoever moves the date has the platform.
    return [
        (platform, until)
        for platform in due
        if Platform.objects.filter(pk=platform.pk, paused_until=platform.paused_until).update(paused_until=until)
    ]


async def _probe_platform(platform: Platform) -> tuple[datetime | None, str]:
    """Until when it stays paused, and why; (None, "") when it is well."""
    try:
        await get_platform_limits(platform).execute(
            ask_platform(platform, PROBE_QUESTION, seed=0, timeout_seconds=PROBE_TIMEOUT_SECONDS)
        )
    except CallFailed as failure:
        if failure.reason == FailureReason.FILTERED:  # it answers again, though not to this
            return None, ""
        return timezone.now() + PAUSE_DURATIONS.get(failure.reason, PROBE_INTERVAL), failure.reason.value
    return None, ""


def _store_probe_result(pk: str, claimed_until: datetime, paused_until: datetime | None, reason: str) -> None:
    """Unless an operator or a run has decided otherwise meanwhile."""
    Platform.objects.filter(pk=pk, paused_until=claimed_until).update(paused_until=paused_until, pause_reason=reason)


_aclaim_due_platforms = database_sync_to_async(_claim_due_platforms, thread_sensitive=False)
_astore_probe_result = database_sync_to_async(_store_probe_result, thread_sensitive=False)
