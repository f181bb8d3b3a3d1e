"""The outbox of messages: written with what they tell of, sent by anybody, lost by nobody.

A row is written in the transaction of its alert. A sender leases one, sends it, then marks it: a crash in between is
found when the lease runs out, and repeats that one message, with its number. A channel takes one message at a time, so
a slow one holds up nobody else, and what an incident says comes in order.
"""

import asyncio
import time
from datetime import datetime, timedelta

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from monitoring.delivery import results
from monitoring.delivery.channels import TRANSPORTS, send_through_channel
from monitoring.delivery.messages import Message, build_alert_message, build_text_message
from monitoring.exceptions import ChannelDisabled, ChannelUnavailable, DeliveryFailed
from monitoring.heartbeats import SENDER_HEARTBEAT, beat
from monitoring.models import Alert, Channel, Delivery, Rule

log = structlog.get_logger(__name__)

OUTBOX_POLL_INTERVAL_SECONDS = 1.0
SENDER_HEARTBEAT_SECONDS = 15.0
SENDER_CONCURRENCY = 3  # sends at once in a process, each to another channel
RATE_WINDOW_SECONDS = 61.0  # a minute as the other side counts it, and a second for the way


def enqueue_deliveries(alert: Alert, kind: str) -> list[Delivery]:
    """Write what the channels of an alert are to be told, in the caller's transaction.

    kind: "fired", "repeated", "resolved". The rule's channels, else the default ones; none at all is logged.
    """
    found = _enqueue(build_alert_message(alert, kind), select_channels(alert.rule), alert)
    if not found:
        log.warning("alert_without_channel", alert=alert.pk, kind=kind)
    return found


def enqueue_text_message(title: str, text: str, severity: str) -> list[Delivery]:
    """Write a message of no single alert (what a silence held back) for the default channels."""
    found = _enqueue(build_text_message(title, text, severity), select_channels(None), None)
    if not found:
        log.warning("message_without_channel", title=title)
    return found


def _enqueue(message: Message, channels: list[Channel], alert: Alert | None) -> list[Delivery]:
    stored = message.to_dict()
    return Delivery.objects.bulk_create(
        Delivery(alert=alert, kind=message.kind, channel=channel, message=stored) for channel in channels
    )


def select_channels(rule: Rule | None) -> list[Channel]:
    """Who is told: the rule's channels, the fallback of a disabled one; when that is nobody, the default ones."""
    chosen = rule.channels.all() if rule else Channel.objects.none()
    return _replace_disabled_channels(list(chosen)) or _replace_disabled_channels(
        list(Channel.objects.filter(is_default=True))
    )


def _replace_disabled_channels(channels: list[Channel]) -> list[Channel]:
    found = [one if one.is_enabled else results.find_enabled_fallback(one, tried={one.pk}) for one in channels]
    return list({one.pk: one for one in found if one is not None}.values())


def send_due_deliveries() -> int:
    """Send what is due, one after another; returns how many were tried. Any number of senders at once are safe."""
    tried = 0
    while delivery := _lease_next_delivery():
        _send_delivery(delivery)
        tried += 1
    return tried


def _lease_next_delivery() -> Delivery | None:
    """The lease of a message is the time before which nobody else looks at it, nor at its channel."""
    now = timezone.now()
    until = now + timedelta(seconds=settings.ALERT_LEASE_SECONDS)
    with transaction.atomic():
        due = Delivery.objects.due(now).select_related("channel")
        # Without "no key" it would wait for whoever is just writing a message for the same channel.
        delivery = due.select_for_update(skip_locked=True, no_key=True, of=("self", "channel")).first()
        if delivery is None:
            return None
        delivery.due_at, delivery.attempts = until, delivery.attempts + 1
        delivery.save(update_fields=["due_at", "attempts"])
        reserve_channel(delivery.channel, until, now)
        return delivery


def reserve_channel(channel: Channel, until: datetime, now: datetime) -> None:
    """Keep the channel for one send; the caller has locked its row, and gives it free with `release_channel`."""
    since = now.timestamp() - RATE_WINDOW_SECONDS
    channel.tried_at = [*(moment for moment in channel.tried_at if moment > since), now.timestamp()]
    channel.free_at = until
    channel.save(update_fields=["tried_at", "free_at"])


def release_channel(channel: Channel, *, wait_seconds: float = 0.0) -> None:
    """The channel takes the next one: now, after the wait it asked for, or when its minute has room again."""
    now = timezone.now()
    free_at = now + timedelta(seconds=wait_seconds)
    max_per_minute = TRANSPORTS[channel.kind].max_per_minute
    if max_per_minute and len(channel.tried_at) >= max_per_minute:
        slot_free_at = datetime.fromtimestamp(channel.tried_at[-max_per_minute] + RATE_WINDOW_SECONDS, tz=now.tzinfo)
        free_at = max(free_at, slot_free_at)
    Channel.objects.filter(pk=channel.pk).update(free_at=free_at)


def _send_delivery(delivery: Delivery) -> None:
    channel = delivery.channel
    wait_seconds = 0.0
    try:
        code = _attempt_delivery(delivery)
    except DeliveryFailed as failure:
        results.record_delivery_failure(delivery, failure)
        wait_seconds = failure.wait_seconds
    else:
        results.record_delivery_success(delivery, code)
    release_channel(channel, wait_seconds=wait_seconds)


def _attempt_delivery(delivery: Delivery) -> str:
    if not delivery.channel.is_enabled:
        raise ChannelDisabled(delivery.channel.disabled_reason or "渠道已停用")
    try:
        return send_through_channel(delivery.channel, Message.from_dict(delivery.message), delivery.number)
    except DeliveryFailed:
        raise
    except Exception as error:
        log.exception("send_crashed", delivery=delivery.number)
        raise ChannelUnavailable(f"程序出错（{type(error).__name__}）") from error


_lease_next_delivery_async = database_sync_to_async(_lease_next_delivery, thread_sensitive=False)
_send_delivery_async = database_sync_to_async(_send_delivery, thread_sensitive=False)
_beat_async = database_sync_to_async(beat, thread_sensitive=False)


async def run_alert_sender_loop() -> None:
    """Send what is due until cancelled, to several channels at once."""
    poll_lock = asyncio.Lock()
    await asyncio.gather(_run_heartbeat_loop(), *(_run_sender(poll_lock) for _ in range(SENDER_CONCURRENCY)))


_last_polled_at = 0.0


async def _run_sender(poll_lock: asyncio.Lock) -> None:
    while True:
        async with poll_lock:  # one looks for all that have nothing to send
            delivery = await _wait_for_due_delivery()
        try:
            await _send_delivery_async(delivery)
        except Exception as error:  # noqa: BLE001 - the database may be away; the lease ends, and it is sent again
            log.warning("messages_unsent", error=repr(error))


async def _wait_for_due_delivery() -> Delivery:
    global _last_polled_at  # of this process
    while True:
        try:
            delivery: Delivery | None = await _lease_next_delivery_async()
            _last_polled_at = time.monotonic()
            if delivery:
                return delivery
        except Exception as error:  # noqa: BLE001 - as above; the next look tries again
            log.warning("messages_unsent", error=repr(error))
        await asyncio.sleep(OUTBOX_POLL_INTERVAL_SECONDS)


async def _run_heartbeat_loop() -> None:
    """The sender's sign of life: that somebody has looked, not that a loop turns."""
    while True:
        await asyncio.sleep(OUTBOX_POLL_INTERVAL_SECONDS * 5)
        if time.monotonic() - _last_polled_at < SENDER_HEARTBEAT_SECONDS:
            try:
                await _beat_async(SENDER_HEARTBEAT, SENDER_HEARTBEAT_SECONDS)
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("beat_unwritten", error=repr(error))
