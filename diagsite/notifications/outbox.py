"""The outbox of notifications to users, delivered as WeChat subscribe messages or shown on the history page.

A notification is written in the transaction of its event: a diagnosis ended, a rate changed significantly between two
runs of a schedule, or a scheduled run was skipped (shown on the page only).

If the owner's socket receives the end of a diagnosis, the notification counts as seen. Otherwise, after a grace period,
one process leases the row, sends the message and records the result. If that process dies, the lease expires and
another process tries again. A message that WeChat has already accepted is not sent twice: the user's single
permission is used up, WeChat answers 43101, and the row is abandoned.
"""

import asyncio
import uuid
from datetime import timedelta

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, RunSummary, Schedule
from diagsite.models import Notification, User
from diagsite.notifications import wechat
from diagsite.notifications.wechat import WeChatSendResult

log = structlog.get_logger(__name__)

NOTIFICATION_LEASE = timedelta(seconds=30)  # longer than a send with its timeouts
MAX_NOTIFICATION_ATTEMPTS = 6
MAX_THING_CHARACTERS = 20  # WeChat's limit for a template field of type `thing`
NOTIFICATION_POLL_INTERVAL_SECONDS = 1.0
REJECTIONS_REPORTED_FOR = timedelta(hours=24)

WECHAT_RATE_CHANGE_PHRASES = {"up": "提及率上升", "down": "提及率下降"}


def create_diagnosis_notification(diagnosis: Diagnosis) -> None:
    """Write the notification of an ended diagnosis; called in the transaction that ends it.

    A cancelled diagnosis needs none, because its owner cancelled it. A run of a schedule needs one only if a rate
    changed.
    """
    if diagnosis.status == DiagnosisStatus.CANCELLED:
        return
    if diagnosis.schedule_id is not None:
        _create_rate_change_notification(diagnosis)
    elif _can_receive_wechat(diagnosis.owner_id):
        grace = timedelta(seconds=settings.NOTICE_GRACE_SECONDS)
        Notification.objects.create(diagnosis=diagnosis, due_at=timezone.now() + grace)


def _can_receive_wechat(owner_id: int) -> bool:
    if not settings.WECHAT_TEMPLATE_ID:
        return False
    return User.objects.filter(pk=owner_id, wechat_openid__isnull=False).exists()


def _create_rate_change_notification(diagnosis: Diagnosis) -> None:
    summary = RunSummary.objects.filter(diagnosis=diagnosis).first()
    changes = summary.list_significant_changes() if summary else []
    if changes:
        can_send = _can_receive_wechat(diagnosis.owner_id)
        Notification.objects.create(
            kind=Notification.Kind.MOVED,
            owner_id=diagnosis.owner_id,
            diagnosis=diagnosis,
            data={"moves": changes},
            state=Notification.State.WAITING if can_send else Notification.State.ON_PAGE,
            due_at=timezone.now(),
        )


def create_skip_notification(schedule: Schedule) -> None:
    """Write the notification of a skipped run; called in the transaction that skips it. Shown on the page only."""
    Notification.objects.create(
        kind=Notification.Kind.SKIPPED,
        owner_id=schedule.owner_id,
        schedule=schedule,
        slot_at=schedule.skipped_at,
        data={"reason": schedule.skip_reason},
        state=Notification.State.ON_PAGE,
        due_at=timezone.now(),
    )


def get_unread_notifications(user: AbstractBaseUser) -> QuerySet[Notification]:
    """Return the unread notifications, newest first, without those that WeChat delivered or may still deliver."""
    page_states = [Notification.State.ON_PAGE, Notification.State.GIVEN_UP]
    unread = Notification.objects.filter(owner_id=user.pk, read_at=None, state__in=page_states)
    return unread.order_by("-due_at", "-pk")


def mark_notification_seen(stream_id: uuid.UUID) -> None:
    """Cancel the notification of a stream's end, because a socket of the owner has received that end."""
    if settings.WECHAT_TEMPLATE_ID:
        ended = Notification.objects.filter(diagnosis__stream_id=stream_id, kind=Notification.Kind.ENDED)
        waiting = ended.filter(state=Notification.State.WAITING, attempts=0)
        waiting.update(state=Notification.State.SEEN)


def send_due_notifications() -> int:
    """Send the notifications that are due, one after another; return the number of attempts."""
    attempted = 0
    while notification := _lease_next_notification():
        _send_notification(notification)
        attempted += 1
    return attempted


def _lease_next_notification() -> Notification | None:
    """Until its lease expires, the notification is not due for any other process."""
    now = timezone.now()
    with transaction.atomic():
        due = Notification.objects.filter(state=Notification.State.WAITING, due_at__lte=now).order_by("due_at")
        notification = due.select_for_update(skip_locked=True).first()
        if notification:
            notification.due_at = now + NOTIFICATION_LEASE
            notification.attempts += 1
            notification.save(update_fields=["due_at", "attempts"])
        return notification


def _send_notification(notification: Notification) -> None:
    assert notification.diagnosis_id  # one without a diagnosis is for the page only
    diagnosis = Diagnosis.objects.select_related("owner").get(pk=notification.diagnosis_id)
    page = f"pages/report-v2/report-v2?id={diagnosis.pk}"
    result, reason = wechat.send_subscribe_message(
        diagnosis.owner.wechat_openid or "", page, _build_template_data(notification, diagnosis)
    )
    if result is WeChatSendResult.SENT:
        notification.state, notification.sent_at = Notification.State.SENT, timezone.now()
    elif result is WeChatSendResult.REFUSED or notification.attempts >= MAX_NOTIFICATION_ATTEMPTS:
        notification.state = Notification.State.GIVEN_UP
    else:
        notification.due_at = timezone.now() + timedelta(seconds=2**notification.attempts)
    notification.reason = reason
    notification.save(update_fields=["state", "sent_at", "due_at", "reason"])
    log.info(
        "notice_tried",
        diagnosis=str(diagnosis.pk),
        state=notification.state,
        attempts=notification.attempts,
        reason=reason,
    )


def count_rejected_messages() -> dict[tuple[str, ...], float]:
    """Return, by WeChat's error code, how many messages were rejected for a wrong template or page.

    Counts those of the last 24 hours that no accepted message has followed.
    """
    if not settings.WECHAT_TEMPLATE_ID:
        return {}
    since = timezone.now() - REJECTIONS_REPORTED_FOR
    codes = [str(code) for code in wechat.MISCONFIGURED_CODES]
    rejected = Notification.objects.filter(state=Notification.State.GIVEN_UP, reason__in=codes, due_at__gt=since)
    if not rejected.exists():
        return {}
    accepted_at = Notification.objects.filter(sent_at__gt=since).aggregate(last=Max("sent_at"))["last"]
    if accepted_at:
        rejected = rejected.filter(due_at__gt=accepted_at + NOTIFICATION_LEASE)  # due when its lease would have ended
    counts = rejected.order_by().values_list("reason").annotate(count=Count("pk"))
    return {(reason,): count for reason, count in counts}


def _build_template_data(notification: Notification, diagnosis: Diagnosis) -> dict[str, str]:
    """{template field: text}; settings.WECHAT_TEMPLATE_FIELDS maps the fields to the values below."""
    suffix = "（演示）" if diagnosis.is_demo else ""
    brand = diagnosis.brand
    if len(brand + suffix) > MAX_THING_CHARACTERS:
        brand = brand[: MAX_THING_CHARACTERS - len(suffix) - 1] + "…"
    finished_at = timezone.localtime(diagnosis.finished_at)
    if notification.kind == Notification.Kind.ENDED:
        status = str(DiagnosisStatus(diagnosis.status).label)
    else:
        directions = {move["changed"] for move in notification.data["moves"] if move["is_own"]}
        status = WECHAT_RATE_CHANGE_PHRASES.get(next(iter(directions), ""), "提及率变化")
    values = {
        "brand": brand + suffix,
        "status": status,  # at most five characters: WeChat's limit for a field of type `phrase`
        "valid": str(diagnosis.valid),
        "planned": str(diagnosis.planned),
        "time": f"{finished_at:%Y-%m-%d %H:%M}",
    }
    return {template_field: values[name] for template_field, name in settings.WECHAT_TEMPLATE_FIELDS.items()}


_send_due_notifications_async = database_sync_to_async(send_due_notifications, thread_sensitive=False)


async def run_notification_sender_loop() -> None:
    """Send due notifications until cancelled; return at once if no WeChat template is configured."""
    while settings.WECHAT_TEMPLATE_ID:
        try:
            await _send_due_notifications_async()
        except Exception as error:  # noqa: BLE001 - the database may be unavailable; the next round tries again
            log.warning("notices_unsent", error=repr(error))
        await asyncio.sleep(NOTIFICATION_POLL_INTERVAL_SECONDS)
