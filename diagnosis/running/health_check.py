"""Health check of paused platforms: after a pause, a cheap question decides whether the platform works again."""

from datetime import datetime, timedelta

import structlog
from channels.db import database_sync_to_async
from django.utils import timezone

from diagnosis.choices import CallPurpose, FailureReason
from diagnosis.exceptions import CallFailed, CallNoLongerNeeded, CallRefused
from diagnosis.models import Platform
from diagnosis.platforms.errors import PAUSE_DURATIONS
from diagnosis.running.admission import Admission, Call
from diagnosis.running.calls import call_once

log = structlog.get_logger(__name__)

PROBE_QUESTION = "请只回答一个字：好"
PROBE_TIMEOUT_SECONDS = 20
PROBE_INTERVAL = timedelta(minutes=1)  # also the time for which a worker claims a probe


async def probe_paused_platforms() -> int:
    """Probe the platforms whose pause is over; returns how many. Concurrent workers share them."""
    due = await database_sync_to_async(_claim_due_platforms, thread_sensitive=False)()
    admission = Admission()
    for platform, claimed_until in due:
        until, reason = None, ""
        call = Call(platform.pk, CallPurpose.PROBE, PROBE_QUESTION, probe_claim=claimed_until)
        try:
            # A search takes longer than a short answer.
            timeout_seconds = platform.call_timeout_seconds if platform.has_search else PROBE_TIMEOUT_SECONDS
            await call_once(admission, call, timeout_seconds=timeout_seconds)
        except (CallRefused, CallNoLongerNeeded):
            continue  # an operator has changed the platform, or its budget is used up: the pause remains
        except CallFailed as failure:
            if failure.reason != FailureReason.FILTERED:  # else it responds again, only not to this question
                until = timezone.now() + PAUSE_DURATIONS.get(failure.reason, PROBE_INTERVAL)
                reason = failure.reason.value
        # Unless an operator or a run has changed the pause meanwhile.
        unchanged = Platform.objects.filter(pk=platform.pk, paused_until=claimed_until)
        await database_sync_to_async(unchanged.update, thread_sensitive=False)(paused_until=until, pause_reason=reason)
        log.info("platform_probed", platform=platform.pk, reason=reason, until=until and until.isoformat())
    await admission.flush()
    return len(due)


def _claim_due_platforms() -> list[tuple[Platform, datetime]]:
    now = timezone.now()
    due = Platform.objects.enabled().filter(is_demo=False, paused_until__lte=now).exclude(pause_reason="")
    until = now + PROBE_INTERVAL
    # The worker that changes the date has claimed the platform.
    return [
        (platform, until)
        for platform in due
        if Platform.objects.filter(pk=platform.pk, paused_until=platform.paused_until).update(paused_until=until)
    ]
