"""What an owner who is away is told: an outbox, so that a crash neither loses nor repeats it.

A row is written in the transaction of what it tells of: the end of a diagnosis; a rate that moved between two runs of
a schedule; a run that was left out, which only the page tells. What WeChat does not take of the last two is shown on
the page of the history, until it is read.

An owner whose socket is given the end has seen it, and the row is
done. Otherwise, after a short grace, one process leases the row, sends the message and marks it. When a process dies
in between, the lease runs out and the row is tried again: if WeChat had taken the message, it has used up the user's
one accept, answers 43101, and the row is given up without a second message.
"""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Schedule
from diagnosis.trends.service import find_significant_changes
from diagsite.models import Notice, User
from diagsite.notifications import wechat
from diagsite.notifications.wechat import WeChatSendResult

log = structlog.get_logger(__name__)

NOTICE_LEASE = timedelta(seconds=30)  # longer than a send takes with its time-outs
MAX_NOTICE_ATTEMPTS = 6
MAX_THING_CHARACTERS = 20  # of a template's `thing`
NOTICE_POLL_INTERVAL_SECONDS = 1.0

WECHAT_RATE_CHANGE_PHRASES = {"up": "提及率上升", "down": "提及率下降"}


def create_diagnosis_notice(diagnosis: Diagnosis) -> None:
    """Called in the transaction that ends a diagnosis. Whoever cancels is there to see it, so that is not told.

    Nobody waits for a run of a schedule: its owner hears of it when a rate has moved.
    """
    if diagnosis.status == DiagnosisStatus.CANCELLED:
        return
    if diagnosis.schedule_id is not None:
        _create_rate_change_notice(diagnosis)
    elif _can_receive_wechat(diagnosis.owner_id):
        grace = timedelta(seconds=settings.NOTICE_GRACE_SECONDS)
        Notice.objects.create(diagnosis=diagnosis, due_at=timezone.now() + grace)


def _can_receive_wechat(owner_id: int) -> bool:
    if not settings.WECHAT_TEMPLATE_ID:
        return False
    return User.objects.filter(pk=owner_id, wechat_openid__isnull=False).exists()


def _create_rate_change_notice(diagnosis: Diagnosis) -> None:
    moves = _find_rate_changes(diagnosis)
    if moves:
        can_send = _can_receive_wechat(diagnosis.owner_id)
        Notice.objects.create(
            kind=Notice.Kind.MOVED,
            owner_id=diagnosis.owner_id,
            diagnosis=diagnosis,
            data={"moves": moves},
            state=Notice.State.WAITING if can_send else Notice.State.ON_PAGE,
            due_at=timezone.now(),
        )


def _find_rate_changes(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """What has moved; nothing when that cannot be told: a bug must not keep a diagnosis from its end."""
    try:
        with transaction.atomic():
            return find_significant_changes(diagnosis)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("moves_failed", diagnosis=str(diagnosis.pk))
        return []


def create_skip_notice(schedule: Schedule) -> None:
    """Called in the transaction that leaves a run out. The subscribe message has no words for it: the page tells."""
    Notice.objects.create(
        kind=Notice.Kind.SKIPPED,
        owner_id=schedule.owner_id,
        schedule=schedule,
        slot_at=schedule.skipped_at,
        data={"reason": schedule.skip_reason},
        state=Notice.State.ON_PAGE,
        due_at=timezone.now(),
    )


def get_unread_notices(user: AbstractBaseUser) -> QuerySet[Notice]:
    """What the page shows: nothing that WeChat has delivered, or may still."""
    page_states = [Notice.State.ON_PAGE, Notice.State.GIVEN_UP]
    return Notice.objects.filter(owner_id=user.pk, read_at=None, state__in=page_states).order_by("-due_at", "-pk")


def mark_notice_seen(stream_id: uuid.UUID) -> None:
    """A live socket of the owner has been given the end."""
    if settings.WECHAT_TEMPLATE_ID:
        ended = Notice.objects.filter(diagnosis__stream_id=stream_id, kind=Notice.Kind.ENDED)
        waiting = ended.filter(state=Notice.State.WAITING, attempts=0)
        waiting.update(state=Notice.State.SEEN)


def send_due_notices() -> int:
    """Send what is due, one after another; returns how many were tried."""
    attempted = 0
    while notice := _lease_next_notice():
        _send_notice(notice)
        attempted += 1
    return attempted


def _lease_next_notice() -> Notice | None:
    """The lease is the time before which nobody else looks at the row."""
    now = timezone.now()
    with transaction.atomic():
        due = Notice.objects.filter(state=Notice.State.WAITING, due_at__lte=now).order_by("due_at")
        notice = due.select_for_update(skip_locked=True).first()
        if notice:
            notice.due_at = now + NOTICE_LEASE
            notice.attempts += 1
            notice.save(update_fields=["due_at", "attempts"])
        return notice


def _send_notice(notice: Notice) -> None:
    assert notice.diagnosis_id  # what has none is for the page alone
    diagnosis = Diagnosis.objects.select_related("owner").get(pk=notice.diagnosis_id)
    page = f"pages/report-v2/report-v2?id={diagnosis.pk}"
    result, reason = wechat.send_subscribe_message(
        diagnosis.owner.wechat_openid or "", page, _build_template_data(notice, diagnosis)
    )
    if result is WeChatSendResult.SENT:
        notice.state, notice.sent_at = Notice.State.SENT, timezone.now()
    elif result is WeChatSendResult.REFUSED or notice.attempts >= MAX_NOTICE_ATTEMPTS:
        notice.state = Notice.State.GIVEN_UP
    else:
        notice.due_at = timezone.now() + timedelta(seconds=2**notice.attempts)
    notice.reason = reason
    notice.save(update_fields=["state", "sent_at", "due_at", "reason"])
    log.info("notice_tried", diagnosis=str(diagnosis.pk), state=notice.state, attempts=notice.attempts, reason=reason)


def _build_template_data(notice: Notice, diagnosis: Diagnosis) -> dict[str, str]:
    """What the template's places say; settings.WECHAT_TEMPLATE_FIELDS tells which place has what."""
    suffix = "（演示）" if diagnosis.is_demo else ""
    brand = diagnosis.brand
    if len(brand + suffix) > MAX_THING_CHARACTERS:
        brand = brand[: MAX_THING_CHARACTERS - len(suffix) - 1] + "…"
    finished_at = timezone.localtime(diagnosis.finished_at)
    values = {
        "brand": brand + suffix,
        "status": _get_status_phrase(notice, diagnosis),
        "valid": str(diagnosis.valid),
        "planned": str(diagnosis.planned),
        "time": f"{finished_at:%Y-%m-%d %H:%M}",
    }
    return {template_field: values[name] for template_field, name in settings.WECHAT_TEMPLATE_FIELDS.items()}


def _get_status_phrase(notice: Notice, diagnosis: Diagnosis) -> str:
    """At most five characters, as a template's `phrase` takes."""
    if notice.kind == Notice.Kind.ENDED:
        return str(DiagnosisStatus(diagnosis.status).label)
    directions = {move["changed"] for move in notice.data["moves"] if move["is_own"]}
    return WECHAT_RATE_CHANGE_PHRASES.get(next(iter(directions), ""), "提及率变化")


_send_due_notices_async = database_sync_to_async(send_due_notices, thread_sensitive=False)


async def run_notice_sender_loop() -> None:
    """Send what is due until cancelled; without a template there is nothing to send."""
    while settings.WECHAT_TEMPLATE_ID:
        try:
            await _send_due_notices_async()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next look tries again
            log.warning("notices_unsent", error=repr(error))
        await asyncio.sleep(NOTICE_POLL_INTERVAL_SECONDS)
