"""Notifies open dashboards of new data through one event stream for all staff, whose log is kept short.

Events: `samples` {bucket}, at most one per bucket however many servers run, and `alert` {alert, is_open, severity,
title, title_en}. An event is only a hint: the page reloads its data.
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
from progress.services import append_events, get_or_create_staff_stream, reset_log

log = structlog.get_logger(__name__)

DASHBOARD_STREAM_ID = uuid.UUID("00000000-0000-4000-8000-000000000002")
MAX_DASHBOARD_EVENTS = 500  # about two hours of buckets
SAMPLE_POLL_INTERVAL_SECONDS = 5.0

SAMPLES_EVENT, ALERT_EVENT = "samples", "alert"


def get_dashboard_stream() -> Stream:
    """Return the event stream of the dashboards."""
    return get_or_create_staff_stream(DASHBOARD_STREAM_ID)


def publish_alert(*, alert: Alert, **signal_kwargs: Any) -> None:
    """Publish that an alert has fired or was resolved; a signal receiver."""
    data = {"alert": alert.pk, "is_open": alert.is_open, "severity": alert.severity, "title": alert.title}
    with transaction.atomic():
        _append_event(_lock_stream(), ALERT_EVENT, data | {"title_en": alert.rule.title_en if alert.rule else ""})


def publish_new_samples() -> bool:
    """Publish the newest bucket unless another process has done so; return whether it was published."""
    newest = Sample.objects.aggregate(newest=Max("bucket"))["newest"]
    if newest is None:
        return False
    bucket = newest.isoformat()
    if _get_published_bucket() == bucket:  # checked without the lock first: most polls end here
        return False
    with transaction.atomic():
        stream = _lock_stream()
        published_bucket = _get_published_bucket()
        if published_bucket is not None and published_bucket >= bucket:
            return False
        _append_event(stream, SAMPLES_EVENT, {"bucket": bucket})
    return True


async def run_dashboard_push_loop() -> None:
    """Publish new samples until cancelled; every server process polls, and the first one publishes."""
    while True:
        await asyncio.sleep(SAMPLE_POLL_INTERVAL_SECONDS)
        try:
            await _publish_new_samples_async()
        except Exception as error:  # noqa: BLE001 - the database may be down; the next poll tries again
            log.warning("dashboard_push_failed", error=repr(error))


_publish_new_samples_async = database_sync_to_async(publish_new_samples, thread_sensitive=False)


def _get_published_bucket() -> str | None:
    events = Event.objects.filter(stream_id=DASHBOARD_STREAM_ID, kind=SAMPLES_EVENT).order_by("-seq")
    data: dict[str, str] | None = events.values_list("data", flat=True).first()
    return data["bucket"] if data else None


def _lock_stream() -> Stream:
    get_dashboard_stream()
    return Stream.objects.select_for_update().get(pk=DASHBOARD_STREAM_ID)


def _append_event(stream: Stream, kind: str, data: dict[str, Any]) -> None:
    if stream.last_seq >= MAX_DASHBOARD_EVENTS:
        reset_log(stream.pk)
    append_events(stream.pk, [(kind, data)])
