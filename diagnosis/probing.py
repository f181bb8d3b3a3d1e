"""A platform that was paused is asked one cheap question before it is called healthy again."""

from datetime import datetime, timedelta

import structlog
from channels.db import database_sync_to_async
from django.utils import timezone

from diagnosis.choices import Reason
from diagnosis.client import ask
from diagnosis.exceptions import CallFailed
from diagnosis.limits import limits_of
from diagnosis.models import Platform
from diagnosis.transitions import PAUSES

log = structlog.get_logger(__name__)

QUESTION = "请只回答一个字：好"
TIMEOUT_SECONDS = 20
AGAIN_AFTER = timedelta(minutes=1)  # also how long a probe is one worker's


def awaits_probe(platform: Platform) -> bool:
    """Whether its pause is over but not, for all we know, what caused it. The demo platform is never asked."""
    until = platform.paused_until
    return bool(not platform.is_demo and platform.pause_reason and until and until <= timezone.now())


async def probe_paused() -> int:
    """Probe what is due; returns how many were asked. Workers that do this at once share the platforms out."""
    due = await _claim_in_thread()
    for platform, claimed_until in due:
        until, reason = await _probe(platform)
        await _settle_in_thread(platform.pk, claimed_until, until, reason)
        log.info("platform_probed", platform=platform.pk, reason=reason, until=until and until.isoformat())
    return len(due)


def _claim() -> list[tuple[Platform, datetime]]:
    now = timezone.now()
    due = Platform.objects.filter(is_enabled=True, is_demo=False, paused_until__lte=now).exclude(pause_reason="")
    until = now + AGAIN_AFTER
    # Whoever moves the date has the platform.
    return [
        (platform, until)
        for platform in due
        if Platform.objects.filter(pk=platform.pk, paused_until=platform.paused_until).update(paused_until=until)
    ]


async def _probe(platform: Platform) -> tuple[datetime | None, str]:
    """Until when it stays paused, and why; (None, "") when it is well."""
    try:
        await limits_of(platform).execute(ask(platform, QUESTION, seed=0, timeout_seconds=TIMEOUT_SECONDS))
    except CallFailed as failure:
        if failure.reason == Reason.FILTERED:  # it answers again, though not to this
            return None, ""
        return timezone.now() + PAUSES.get(failure.reason, AGAIN_AFTER), failure.reason.value
    return None, ""


def _settle(pk: str, claimed_until: datetime, until: datetime | None, reason: str) -> None:
    """Unless an operator or a run has decided otherwise meanwhile."""
    Platform.objects.filter(pk=pk, paused_until=claimed_until).update(paused_until=until, pause_reason=reason)


_claim_in_thread = database_sync_to_async(_claim, thread_sensitive=False)
_settle_in_thread = database_sync_to_async(_settle, thread_sensitive=False)
