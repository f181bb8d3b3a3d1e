"""What becomes of a message after an attempt: sent, tried again later, or given up and handed to the fallback."""

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

# An alert is worth more patience than a page view: about a minute when somebody else can be told, else half an hour.
MAX_ATTEMPTS_WITH_FALLBACK = 6
MAX_ATTEMPTS_WITHOUT_FALLBACK = 12
BASE_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 2.0, 300.0
WAITING, SENT, GIVEN_UP = Delivery.State.WAITING, Delivery.State.SENT, Delivery.State.GIVEN_UP


def record_delivery_success(delivery: Delivery, code: str) -> None:
    """It has arrived: say so, unless a slower sender of the same message has said so already."""
    now = timezone.now()
    with transaction.atomic():
        unsent = Delivery.objects.filter(pk=delivery.pk).exclude(state=SENT)
        if not unsent.update(state=SENT, sent_at=now, provider_code=code, reason=""):
            return
        Channel.objects.filter(pk=delivery.channel_id).update(last_sent_at=now, last_error="")
        _add_timeline_note(delivery, AlertNote.Kind.DELIVERED, str(delivery.channel))
    alert_deliveries.labels(channel=delivery.channel.kind, outcome="sent").inc()
    log.info("message_sent", delivery=delivery.number, channel=delivery.channel.name, attempts=delivery.attempts)


def record_delivery_failure(delivery: Delivery, failure: DeliveryFailed) -> None:
    """It has not arrived: try later by the policy of its code, or give it up and hand it over."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update(no_key=True).filter(pk=delivery.pk, state=WAITING).first()
        if locked is None:
            return  # the lease ran out, and another sender has settled it
        channel = Channel.objects.select_for_update(no_key=True).get(pk=delivery.channel_id)
        _record_channel_error(channel, failure)
        is_final = not _should_retry(delivery, channel, failure)
        state = GIVEN_UP if is_final else WAITING
        due_at = timezone.now() + timedelta(seconds=_get_retry_delay_seconds(delivery, failure))
        Delivery.objects.filter(pk=delivery.pk).update(
            state=state, due_at=due_at, provider_code=failure.provider_code, reason=str(failure)[:300]
        )
        if is_final:
            _add_timeline_note(delivery, AlertNote.Kind.UNDELIVERED, f"{channel}：{failure}")
            _enqueue_fallback_delivery(delivery, channel, failure)
    outcome = "given_up" if is_final else "retried"
    alert_deliveries.labels(channel=channel.kind, outcome=outcome).inc()
    record_error(
        failure.code, error=failure, outcome="shown" if is_final else "retried", place=f"channel {channel.kind}"
    )
    log.warning("message_unsent", delivery=delivery.number, channel=channel.name, outcome=outcome, reason=str(failure))


def _should_retry(delivery: Delivery, channel: Channel, failure: DeliveryFailed) -> bool:
    if failure.is_permanent or not is_auto_retryable(failure.code):
        return False
    has_fallback = find_enabled_fallback(channel, tried=_get_tried_channel_ids(delivery)) is not None
    return delivery.attempts < (MAX_ATTEMPTS_WITH_FALLBACK if has_fallback else MAX_ATTEMPTS_WITHOUT_FALLBACK)


def _get_retry_delay_seconds(delivery: Delivery, failure: DeliveryFailed) -> float:
    policy = replace(
        ERROR_SPECS[failure.code].retry, base_seconds=BASE_BACKOFF_SECONDS, max_seconds=MAX_BACKOFF_SECONDS
    )
    return get_backoff_seconds(policy, delivery.attempts, failure.wait_seconds)


def _record_channel_error(channel: Channel, failure: DeliveryFailed) -> None:
    """For the admin: what was last wrong, and whether that has disabled the channel."""
    channel.last_error = str(failure)[:200]
    fields = ["last_error"]
    if failure.disables_channel and channel.is_enabled:
        channel.is_enabled = False
        channel.disabled_reason = str(failure)[:200]
        fields += ["is_enabled", "disabled_reason"]
        log.error("channel_disabled", channel=channel.name, reason=channel.disabled_reason)
    channel.save(update_fields=fields)


def _enqueue_fallback_delivery(delivery: Delivery, channel: Channel, failure: DeliveryFailed) -> None:
    """To the fallback, once: a message has at most one replacement, which goes nowhere it has been."""
    fallback = find_enabled_fallback(channel, tried=_get_tried_channel_ids(delivery))
    if fallback is None:
        log.error("message_given_up", delivery=delivery.number, channel=channel.name, reason=str(failure))
        return
    note = f"原定渠道“{channel}”未送达（消息 #{delivery.number}）：{failure}。改由备用渠道“{fallback}”发送。"
    message = Message.from_dict(delivery.message).with_note(note)
    defaults = {
        "alert_id": delivery.alert_id,
        "kind": delivery.kind,
        "channel": fallback,
        "message": message.to_dict(),
    }
    Delivery.objects.get_or_create(instead_of=delivery, defaults=defaults)


def find_enabled_fallback(channel: Channel, *, tried: set[int]) -> Channel | None:
    """The first enabled one along the chain of fallbacks that is not among the tried."""
    seen = {channel.pk}
    candidate = channel.fallback
    while candidate is not None and candidate.pk not in seen:
        if candidate.is_enabled and candidate.pk not in tried:
            return candidate
        seen.add(candidate.pk)
        candidate = candidate.fallback
    return None


def _get_tried_channel_ids(delivery: Delivery) -> set[int]:
    """The channels that this message and those it replaces have been to."""
    tried = {delivery.channel_id}
    replaced = delivery.instead_of
    while replaced is not None:
        tried.add(replaced.channel_id)
        replaced = replaced.instead_of
    return tried


def _add_timeline_note(delivery: Delivery, kind: AlertNote.Kind, text: str) -> None:
    if delivery.alert_id is not None:
        AlertNote.objects.create(alert_id=delivery.alert_id, kind=kind, text=f"消息 #{delivery.number}，{text}"[:1000])
