"""Tells the open dashboards that something is new: one stream of `progress` for all staff, whose log stays short.

Events: `samples` {bucket}, at most one a bucket however many servers there are, and `alert` {alert, is_open, severity,
title, title_en}. They are hints: the page reads itself again.
"""

import asyncio
import uuid
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.db import transaction
from django.db.models import Max

from monitoring.models import Alert, Sample
from progress.models import Event, Stream
from progress.services import append_events, empty_log, open_staff_stream

log = structlog.get_logger(__name__)

STREAM_ID = uuid.UUID("00000000-0000-4000-8000-000000000002")
MOST_EVENTS = 500  # two hours of ticks
LOOK_SECONDS = 5.0

SAMPLES, ALERT = "samples", "alert"


def dashboard_stream() -> Stream:
    """The stream that dashboards follow."""
    return open_staff_stream(STREAM_ID)


def tell_alert(*, alert: Alert, **of_the_signal: Any) -> None:
    """An alert has fired, or has been resolved."""
    told = {"alert": alert.pk, "is_open": alert.is_open, "severity": alert.severity, "title": alert.title}
    with transaction.atomic():
        _append(_locked_stream(), ALERT, told | {"title_en": alert.rule.title_en if alert.rule else ""})


def tell_samples() -> bool:
    """Say that there are samples of a bucket that nobody has told of yet; False when there are none."""
    newest = Sample.objects.aggregate(newest=Max("bucket"))["newest"]
    if newest is None:
        return False
    bucket = newest.isoformat()
    if _told_of() == bucket:  # looked at without the lock first, which most looks do not need
        return False
    with transaction.atomic():
        stream = _locked_stream()
        told_of = _told_of()
        if told_of is not None and told_of >= bucket:
            return False
        _append(stream, SAMPLES, {"bucket": bucket})
    return True


async def keep_telling() -> None:
    """Tell of new samples until cancelled; every server process does, and the first is heard."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await _tell_in_thread()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next look tries again
            log.warning("dashboards_untold", error=repr(error))


_tell_in_thread = database_sync_to_async(tell_samples, thread_sensitive=False)


def _told_of() -> str | None:
    events = Event.objects.filter(stream_id=STREAM_ID, kind=SAMPLES).order_by("-seq")
    data: dict[str, str] | None = events.values_list("data", flat=True).first()
    return data["bucket"] if data else None


def _locked_stream() -> Stream:
    dashboard_stream()
    return Stream.objects.select_for_update().get(pk=STREAM_ID)


def _append(stream: Stream, kind: str, data: dict[str, Any]) -> None:
    if stream.last_seq >= MOST_EVENTS:
        empty_log(stream.pk)
    append_events(stream.pk, [(kind, data)])
