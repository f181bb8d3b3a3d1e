"""Tells the open dashboards that something is new: one stream of `progress` for all staff, whose log stays short.

Events: `samples` {bucket}, at most one a bucket however many servers there are, and `alert` {alert, is_open, severity,
title, title_en}. They are hints: the page reads itself again.
"""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.db import transaction
from django.db.models import Max

from monitoring.models import Alert, Sample
from progress.events import AlertData, EventKind, SamplesData
from progress.models import Event, Stream
from progress.services import append_events, get_or_create_staff_stream, reset_log

log = structlog.get_logger(__name__)

DASHBOARD_STREAM_ID = uuid.UUID("00000000-0000-4000-8000-000000000002")
MAX_DASHBOARD_EVENTS = 500  # two hours of ticks
SAMPLE_POLL_INTERVAL_SECONDS = 5.0

SAMPLES_EVENT: EventKind = "samples"
ALERT_EVENT: EventKind = "alert"


def get_dashboard_stream() -> Stream:
    """The stream that dashboards follow."""
    return get_or_create_staff_stream(DASHBOARD_STREAM_ID)


def publish_alert(*, alert: Alert, **signal_kwargs: Any) -> None:
    """An alert has fired, or has been resolved."""
    data: AlertData = {
        "alert": alert.pk,
        "is_open": alert.is_open,
        "severity": alert.severity,
        "title": alert.title,
        "title_en": alert.rule.title_en if alert.rule else "",
    }
    with transaction.atomic():
        _append_event(_lock_stream(), ALERT_EVENT, data)


def publish_new_samples() -> bool:
    """Say that there are samples of a bucket that nobody has told of yet; False when there are none."""
    newest = Sample.objects.aggregate(newest=Max("bucket"))["newest"]
    if newest is None:
        return False
    bucket = newest.isoformat()
    if _get_published_bucket() == bucket:  # looked at without the lock first, which most looks do not need
        return False
    with transaction.atomic():
        stream = _lock_stream()
        published_bucket = _get_published_bucket()
        if published_bucket is not None and published_bucket >= bucket:
            return False
        _append_event(stream, SAMPLES_EVENT, SamplesData(bucket=bucket))
    return True


async def run_dashboard_push_loop() -> None:
    """Tell of new samples until cancelled; every server process does, and the first is heard."""
    while True:
        await asyncio.sleep(SAMPLE_POLL_INTERVAL_SECONDS)
        try:
            await _publish_new_samples_async()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next look tries again
            log.warning("dashboards_untold", error=repr(error))


_publish_new_samples_async = database_sync_to_async(publish_new_samples, thread_sensitive=False)


def _get_published_bucket() -> str | None:
    events = Event.objects.filter(stream_id=DASHBOARD_STREAM_ID, kind=SAMPLES_EVENT).order_by("-seq")
    data: dict[str, str] | None = events.values_list("data", flat=True).first()
    return data["bucket"] if data else None


def _lock_stream() -> Stream:
    get_dashboard_stream()
    return Stream.objects.select_for_update().get(pk=DASHBOARD_STREAM_ID)


def _append_event(stream: Stream, kind: EventKind, data: Mapping[str, object]) -> None:
    if stream.last_seq >= MAX_DASHBOARD_EVENTS:
        reset_log(stream.pk)
    append_events(stream.pk, [(kind, data)])
