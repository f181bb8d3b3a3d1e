"""Transactional outbox of alert messages.

A row is written in the transaction of its alert, and any process may send it. A sender leases one message, sends it,
then marks it; after a crash the lease expires and the message is sent again under the same number. A channel sends one
message at a time, so a slow one delays no other, and the messages of an incident arrive in order.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from monitoring.delivery.channel_slots import release_channel, reserve_channel
from monitoring.delivery.channels import send_through_channel
from monitoring.delivery.messages import Message, build_alert_message, build_text_message
from monitoring.delivery.results import find_enabled_fallback, record_delivery_failure, record_delivery_success
from monitoring.exceptions import ChannelDisabled, ChannelUnavailable, DeliveryFailed
from monitoring.heartbeats import SENDER_HEARTBEAT, SENDER_HEARTBEAT_SECONDS, beat
from monitoring.models import Alert, Channel, Delivery, Rule

log = structlog.get_logger(__name__)

OUTBOX_POLL_INTERVAL_SECONDS = 1.0
SENDER_CONCURRENCY = 3  # concurrent sends in a process, each to a different channel


def enqueue_deliveries(alert: Alert, kind: str, text: str = "") -> list[Delivery]:
    """Write one message per channel of an alert, in the caller's transaction.

    kind: "fired", "repeated", "resolved"; text: what has changed. An alert without any channel is logged.
    """
    channels = select_channels(alert.rule, is_about_monitoring=alert.source == Alert.Source.WATCHDOG)
    deliveries = _enqueue(build_alert_message(alert, kind, text), channels, alert)
    if not deliveries:
        log.warning("alert_without_channel", alert=alert.pk, kind=kind)
    return deliveries


def enqueue_text_message(title: str, text: str, severity: str) -> list[Delivery]:
    """Write a message that belongs to no single alert, such as a silence summary, for the default channels."""
    deliveries = _enqueue(build_text_message(title, text, severity), select_channels(None), None)
    if not deliveries:
        log.warning("message_without_channel", title=title)
    return deliveries


def _enqueue(message: Message, channels: list[Channel], alert: Alert | None) -> list[Delivery]:
    stored = message.to_dict()
    return Delivery.objects.bulk_create(
        Delivery(alert=alert, kind=message.kind, channel=channel, message=stored) for channel in channels
    )


def select_channels(rule: Rule | None, *, is_about_monitoring: bool = False) -> list[Channel]:
    """Return the rule's channels, or the default ones if it has none; disabled ones are replaced by their fallback.

    is_about_monitoring: a channel may be what is broken, so those that reject messages are avoided, and any other
    enabled channel is better than none.
    """
    chosen = rule.channels.all() if rule else Channel.objects.none()
    selected = _replace_disabled_channels(chosen) or _replace_disabled_channels(Channel.objects.filter(is_default=True))
    if not is_about_monitoring:
        return selected
    working = [channel for channel in selected if channel.rejecting_since is None]
    return working or list(Channel.objects.filter(is_enabled=True, rejecting_since=None)) or selected


def _replace_disabled_channels(channels: Iterable[Channel]) -> list[Channel]:
    enabled = (
        channel if channel.is_enabled else find_enabled_fallback(channel, tried={channel.pk}) for channel in channels
    )
    return list({channel.pk: channel for channel in enabled if channel is not None}.values())


def send_due_deliveries() -> int:
    """Send all due messages sequentially; return how many were attempted. Safe with any number of senders."""
    attempted = 0
    while delivery := _lease_next_delivery():
        _send_delivery(delivery)
        attempted += 1
    return attempted


def _lease_next_delivery() -> Delivery | None:
    """Return the next due message; until its lease ends no other process sends it or uses its channel."""
    now = timezone.now()
    until = now + timedelta(seconds=settings.ALERT_LEASE_SECONDS)
    with transaction.atomic():
        due = Delivery.objects.due(now).select_related("channel")
        # "no key", because a transaction that inserts a message for the channel holds a key lock on its row.
        delivery = due.select_for_update(skip_locked=True, no_key=True, of=("self", "channel")).first()
        if delivery is None:
            return None
        delivery.due_at, delivery.attempts = until, delivery.attempts + 1
        delivery.save(update_fields=["due_at", "attempts"])
        reserve_channel(delivery.channel, until, now)
        return delivery


def _send_delivery(delivery: Delivery) -> None:
    channel = delivery.channel
    wait_seconds = 0.0
    try:
        if not channel.is_enabled:
            raise ChannelDisabled(channel.disabled_reason or "渠道已停用")
        try:
            code = send_through_channel(channel, Message.from_dict(delivery.message), delivery.number)
        except DeliveryFailed:
            raise
        except Exception as error:
            log.exception("send_crashed", delivery=delivery.number)
            raise ChannelUnavailable(f"程序出错（{type(error).__name__}）") from error
    except DeliveryFailed as failure:
        record_delivery_failure(delivery, failure)
        wait_seconds = failure.wait_seconds
    else:
        record_delivery_success(delivery, code)
    release_channel(channel, wait_seconds=wait_seconds)


_lease_next_delivery_async = database_sync_to_async(_lease_next_delivery, thread_sensitive=False)
_send_delivery_async = database_sync_to_async(_send_delivery, thread_sensitive=False)
_beat_async = database_sync_to_async(beat, thread_sensitive=False)


async def run_alert_sender_loop() -> None:
    """Send due messages until cancelled, to several channels concurrently."""
    poll_lock = asyncio.Lock()
    await asyncio.gather(_run_heartbeat_loop(), *(_run_sender(poll_lock) for _ in range(SENDER_CONCURRENCY)))


_last_polled_at = 0.0  # by any sender of this process


async def _run_sender(poll_lock: asyncio.Lock) -> None:
    while True:
        async with poll_lock:  # one idle sender polls for all
            delivery = await _wait_for_due_delivery()
        try:
            await _send_delivery_async(delivery)
        except Exception as error:  # noqa: BLE001 - the database may be down; the lease expires and it is sent again
            log.warning("delivery_send_failed", error=repr(error))


async def _wait_for_due_delivery() -> Delivery:
    global _last_polled_at
    while True:
        try:
            delivery: Delivery | None = await _lease_next_delivery_async()
            _last_polled_at = time.monotonic()
            if delivery:
                return delivery
        except Exception as error:  # noqa: BLE001 - the database may be down; the next poll tries again
            log.warning("delivery_poll_failed", error=repr(error))
        await asyncio.sleep(OUTBOX_POLL_INTERVAL_SECONDS)


async def _run_heartbeat_loop() -> None:
    """Record the sender's heartbeat while polling succeeds."""
    while True:
        await asyncio.sleep(OUTBOX_POLL_INTERVAL_SECONDS * 5)
        if time.monotonic() - _last_polled_at < SENDER_HEARTBEAT_SECONDS:
            try:
                await _beat_async(SENDER_HEARTBEAT, SENDER_HEARTBEAT_SECONDS)
            except Exception as error:  # noqa: BLE001 - the database may be down
                log.warning("heartbeat_write_failed", error=repr(error))
