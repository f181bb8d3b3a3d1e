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

from monitoring import settling
from monitoring.channels import TRANSPORTS, send_to
from monitoring.exceptions import ChannelDisabled, ChannelFailing, DeliveryFailed
from monitoring.heartbeats import SENDER, beat
from monitoring.messages import Message, message_of, message_of_text
from monitoring.models import Alert, Channel, Delivery, Rule

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
BEAT_SECONDS = 15.0
LANES = 3  # sends at once in a process, each to another channel
WINDOW_SECONDS = 61.0  # a minute as the other side counts it, and a second for the way


def enqueue_deliveries(alert: Alert, kind: str) -> list[Delivery]:
    """Write what the channels of an alert are to be told, in the caller's transaction.

    kind: "fired", "repeated", "resolved". The rule's channels, else the default ones; none at all is logged.
    """
    found = _enqueue(message_of(alert, kind), channels_of(alert.rule), alert)
    if not found:
        log.warning("alert_without_channel", alert=alert.pk, kind=kind)
    return found


def enqueue_text(title: str, text: str, severity: str) -> list[Delivery]:
    """Write a message of no single alert (what a silence held back) for the default channels."""
    found = _enqueue(message_of_text(title, text, severity), channels_of(None), None)
    if not found:
        log.warning("message_without_channel", title=title)
    return found


def _enqueue(message: Message, channels: list[Channel], alert: Alert | None) -> list[Delivery]:
    stored = message.to_store()
    return Delivery.objects.bulk_create(
        Delivery(alert=alert, kind=message.kind, channel=channel, message=stored) for channel in channels
    )


def channels_of(rule: Rule | None) -> list[Channel]:
    """Who is told: the rule's channels, the fallback of a disabled one; when that is nobody, the default ones."""
    chosen = rule.channels.all() if rule else Channel.objects.none()
    return _usable(list(chosen)) or _usable(list(Channel.objects.filter(is_default=True)))


def _usable(channels: list[Channel]) -> list[Channel]:
    found = [one if one.is_enabled else settling.usable_fallback(one, tried={one.pk}) for one in channels]
    return list({one.pk: one for one in found if one is not None}.values())


def send_due() -> int:
    """Send what is due, one after another; returns how many were tried. Any number of senders at once are safe."""
    tried = 0
    while delivery := _lease_one():
        _send(delivery)
        tried += 1
    return tried


def _lease_one() -> Delivery | None:
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
        take_turn(delivery.channel, until, now)
        return delivery


def take_turn(channel: Channel, until: datetime, now: datetime) -> None:
    """Keep the channel for one send; the caller has locked its row, and gives it free with `give_turn`."""
    since = now.timestamp() - WINDOW_SECONDS
    channel.tried_at = [*(moment for moment in channel.tried_at if moment > since), now.timestamp()]
    channel.free_at = until
    channel.save(update_fields=["tried_at", "free_at"])


def give_turn(channel: Channel, *, wait_seconds: float = 0.0) -> None:
    """The channel takes the next one: now, after the wait it asked for, or when its minute has room again."""
    now = timezone.now()
    free_at = now + timedelta(seconds=wait_seconds)
    most = TRANSPORTS[channel.kind].per_minute
    if most and len(channel.tried_at) >= most:
        room_at = datetime.fromtimestamp(channel.tried_at[-most] + WINDOW_SECONDS, tz=now.tzinfo)
        free_at = max(free_at, room_at)
    Channel.objects.filter(pk=channel.pk).update(free_at=free_at)


def _send(delivery: Delivery) -> None:
    channel = delivery.channel
    wait_seconds = 0.0
    try:
        code = _try(delivery)
    except DeliveryFailed as failure:
        settling.settle_failure(delivery, failure)
        wait_seconds = failure.wait_seconds
    else:
        settling.settle_success(delivery, code)
    give_turn(channel, wait_seconds=wait_seconds)


def _try(delivery: Delivery) -> str:
    if not delivery.channel.is_enabled:
        raise ChannelDisabled(delivery.channel.disabled_reason or "渠道已停用")
    try:
        return send_to(delivery.channel, Message.from_stored(delivery.message), delivery.number)
    except DeliveryFailed:
        raise
    except Exception as error:
        log.exception("send_crashed", delivery=delivery.number)
        raise ChannelFailing(f"程序出错（{type(error).__name__}）") from error


_lease_in_thread = database_sync_to_async(_lease_one, thread_sensitive=False)
_send_in_thread = database_sync_to_async(_send, thread_sensitive=False)
_beat = database_sync_to_async(beat, thread_sensitive=False)


async def keep_sending() -> None:
    """Send what is due until cancelled, to several channels at once."""
    looking = asyncio.Lock()
    await asyncio.gather(_keep_beating(), *(_keep_lane(looking) for _ in range(LANES)))


_looked_at = 0.0


async def _keep_lane(looking: asyncio.Lock) -> None:
    while True:
        async with looking:  # one looks for all that have nothing to send
            delivery = await _next_due()
        try:
            await _send_in_thread(delivery)
        except Exception as error:  # noqa: BLE001 - the database may be away; the lease ends, and it is sent again
            log.warning("messages_unsent", error=repr(error))


async def _next_due() -> Delivery:
    global _looked_at  # of this process
    while True:
        try:
            delivery: Delivery | None = await _lease_in_thread()
            _looked_at = time.monotonic()
            if delivery:
                return delivery
        except Exception as error:  # noqa: BLE001 - as above; the next look tries again
            log.warning("messages_unsent", error=repr(error))
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


async def _keep_beating() -> None:
    """The sender's sign of life: that somebody has looked, not that a loop turns."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS * 5)
        if time.monotonic() - _looked_at < BEAT_SECONDS:
            try:
                await _beat(SENDER, BEAT_SECONDS)
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("beat_unwritten", error=repr(error))
