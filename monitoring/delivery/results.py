"""Record the result of an attempt: sent, to be retried, or abandoned and passed to the fallback channel."""

from dataclasses import replace
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from errors.codes import ERROR_SPECS
from errors.recording import record_error
from errors.retry import get_backoff_seconds, is_auto_retryable
from monitoring.delivery.messages import Message
from monitoring.exceptions import DeliveryFailed
from monitoring.metrics import alert_deliveries
from monitoring.models import AlertNote, Channel, Delivery

log = structlog.get_logger(__name__)

# Retries last about a minute if a fallback channel can take over, else half an hour.
MAX_ATTEMPTS_WITH_FALLBACK = 6
MAX_ATTEMPTS_WITHOUT_FALLBACK = 12
BASE_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 2.0, 300.0
# A channel that only rejects for so long and so often is disabled; a single 404 or a wrong answer of a proxy is not.
MIN_REJECTING_TIME, MIN_REJECTIONS = timedelta(minutes=20), 6
WAITING, SENT, GIVEN_UP = Delivery.State.WAITING, Delivery.State.SENT, Delivery.State.GIVEN_UP


def record_delivery_success(delivery: Delivery, code: str) -> None:
    """Mark a message as sent, unless another sender of the same message has done so already."""
    now = timezone.now()
    with transaction.atomic():
        unsent = Delivery.objects.filter(pk=delivery.pk).exclude(state=SENT)
        if not unsent.update(state=SENT, sent_at=now, provider_code=code, reason=""):
            return
        Channel.objects.filter(pk=delivery.channel_id).update(
            last_sent_at=now, last_error="", rejecting_since=None, rejections=0
        )
        _add_timeline_note(delivery, AlertNote.Kind.DELIVERED, str(delivery.channel))
    alert_deliveries.labels(channel=delivery.channel.kind, outcome="sent").inc()
    log.info("message_sent", delivery=delivery.number, channel=delivery.channel.name, attempts=delivery.attempts)


def record_delivery_failure(delivery: Delivery, failure: DeliveryFailed) -> None:
    """Schedule a retry by the policy of the failure's code, or abandon the message and use the fallback channel."""
    policy = replace(
        ERROR_SPECS[failure.code].retry, base_seconds=BASE_BACKOFF_SECONDS, max_seconds=MAX_BACKOFF_SECONDS
    )
    delay_seconds = get_backoff_seconds(policy, delivery.attempts, failure.wait_seconds)
    with transaction.atomic():
        locked = Delivery.objects.select_for_update(no_key=True).filter(pk=delivery.pk, state=WAITING).first()
        if locked is None:
            return  # the lease expired, and another sender has recorded a result
        channel = Channel.objects.select_for_update(no_key=True).get(pk=delivery.channel_id)
        _record_channel_error(channel, failure)
        fallback = find_enabled_fallback(channel, tried=delivery.tried_channel_ids)
        is_final = (
            failure.is_permanent
            or not (failure.disables_channel or is_auto_retryable(failure.code))
            or delivery.attempts >= (MAX_ATTEMPTS_WITH_FALLBACK if fallback else MAX_ATTEMPTS_WITHOUT_FALLBACK)
        )
        Delivery.objects.filter(pk=delivery.pk).update(
            state=GIVEN_UP if is_final else WAITING,
            due_at=timezone.now() + timedelta(seconds=delay_seconds),
            provider_code=failure.provider_code,
            reason=str(failure)[:300],
        )
        if is_final:
            _add_timeline_note(delivery, AlertNote.Kind.UNDELIVERED, f"{channel}：{failure}")
            if fallback:
                note = (
                    f"原定渠道“{channel}”未送达（消息 #{delivery.number}）：{failure}。改由备用渠道“{fallback}”发送。"
                )
                delivery.enqueue_replacement(fallback, Message.from_dict(delivery.message).with_note(note).to_dict())
            else:
                log.error("message_abandoned", delivery=delivery.number, channel=channel.name, reason=str(failure))
    outcome = "given_up" if is_final else "retried"
    alert_deliveries.labels(channel=channel.kind, outcome=outcome).inc()
    record_error(
        failure.code, error=failure, outcome="shown" if is_final else "retried", place=f"channel {channel.kind}"
    )
    log.warning("delivery_failed", delivery=delivery.number, channel=channel.name, outcome=outcome, reason=str(failure))


def _record_channel_error(channel: Channel, failure: DeliveryFailed) -> None:
    """Store the error for the admin, and disable the channel after repeated permanent failures over time."""
    now = timezone.now()
    channel.last_error = str(failure)[:200]
    if failure.disables_channel:
        channel.rejecting_since = channel.rejecting_since or now
        channel.rejections += 1
        is_lasting = now - channel.rejecting_since >= MIN_REJECTING_TIME and channel.rejections >= MIN_REJECTIONS
        if is_lasting and channel.is_enabled:
            channel.is_enabled = False
            channel.disabled_reason = str(failure)[:200]
            log.error("channel_disabled", channel=channel.name, reason=channel.disabled_reason)
    channel.save(update_fields=["last_error", "rejecting_since", "rejections", "is_enabled", "disabled_reason"])


def find_enabled_fallback(channel: Channel, *, tried: set[int]) -> Channel | None:
    """Return the first enabled channel along the chain of fallbacks that is not among the tried ones."""
    fallbacks = (fallback for fallback in channel.iter_fallbacks() if fallback.is_enabled and fallback.pk not in tried)
    return next(fallbacks, None)


def _add_timeline_note(delivery: Delivery, kind: AlertNote.Kind, text: str) -> None:
    if delivery.alert_id is not None:
        AlertNote.objects.create(alert_id=delivery.alert_id, kind=kind, text=f"消息 #{delivery.number}，{text}"[:1000])
