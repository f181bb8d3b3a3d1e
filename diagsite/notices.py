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

from diagnosis.choices import Status
from diagnosis.models import Diagnosis, Schedule
from diagnosis.trends import moves_of
from diagsite import wechat_messages
from diagsite.models import Notice, User
from diagsite.wechat_messages import Sending

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)  # longer than a send takes with its time-outs
MOST_ATTEMPTS = 6
MOST_TEXT = 20  # of a template's `thing`
SECONDS_BETWEEN_LOOKS = 1.0

MOVE_WORDS = {"up": "提及率上升", "down": "提及率下降"}


def write_notice(diagnosis: Diagnosis) -> None:
    """Called in the transaction that ends a diagnosis. Whoever cancels is there to see it, so that is not told.

    Nobody waits for a run of a schedule: its owner hears of it when a rate has moved.
    """
    if diagnosis.status == Status.CANCELLED:
        return
    if diagnosis.schedule_id is not None:
        _write_moves(diagnosis)
    elif _has_wechat(diagnosis.owner_id):
        grace = timedelta(seconds=settings.NOTICE_GRACE_SECONDS)
        Notice.objects.create(diagnosis=diagnosis, due_at=timezone.now() + grace)


def _has_wechat(owner_id: int) -> bool:
    if not settings.WECHAT_TEMPLATE_ID:
        return False
    return User.objects.filter(pk=owner_id, wechat_openid__isnull=False).exists()


def _write_moves(diagnosis: Diagnosis) -> None:
    moves = _moves_of(diagnosis)
    if moves:
        can_send = _has_wechat(diagnosis.owner_id)
        Notice.objects.create(
            kind=Notice.Kind.MOVED,
            owner_id=diagnosis.owner_id,
            diagnosis=diagnosis,
            data={"moves": moves},
            state=Notice.State.WAITING if can_send else Notice.State.ON_PAGE,
            due_at=timezone.now(),
        )


def _moves_of(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """What has moved; nothing when that cannot be told: a bug must not keep a diagnosis from its end."""
    try:
        with transaction.atomic():
            return moves_of(diagnosis)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("moves_failed", diagnosis=str(diagnosis.pk))
        return []


def write_skip(schedule: Schedule) -> None:
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


def unread_notices(user: AbstractBaseUser) -> QuerySet[Notice]:
    """What the page shows: nothing that WeChat has delivered, or may still."""
    untold = [Notice.State.ON_PAGE, Notice.State.GIVEN_UP]
    return Notice.objects.filter(owner_id=user.pk, read_at=None, state__in=untold).order_by("-due_at", "-pk")


def note_seen(stream_id: uuid.UUID) -> None:
    """A live socket of the owner has been given the end."""
    if settings.WECHAT_TEMPLATE_ID:
        ended = Notice.objects.filter(diagnosis__stream_id=stream_id, kind=Notice.Kind.ENDED)
        waiting = ended.filter(state=Notice.State.WAITING, attempts=0)
        waiting.update(state=Notice.State.SEEN)


def send_due_notices() -> int:
    """Send what is due, one after another; returns how many were tried."""
    tried = 0
    while notice := _lease_one():
        _send(notice)
        tried += 1
    return tried


def _lease_one() -> Notice | None:
    """The lease is the time before which nobody else looks at the row."""
    now = timezone.now()
    with transaction.atomic():
        due = Notice.objects.filter(state=Notice.State.WAITING, due_at__lte=now).order_by("due_at")
        notice = due.select_for_update(skip_locked=True).first()
        if notice:
            notice.due_at = now + LEASE
            notice.attempts += 1
            notice.save(update_fields=["due_at", "attempts"])
        return notice


def _send(notice: Notice) -> None:
    assert notice.diagnosis_id  # what has none is for the page alone
    diagnosis = Diagnosis.objects.select_related("owner").get(pk=notice.diagnosis_id)
    page = f"pages/report-v2/report-v2?id={diagnosis.pk}"
    sending, reason = wechat_messages.send(diagnosis.owner.wechat_openid or "", page, _texts(notice, diagnosis))
    if sending is Sending.SENT:
        notice.state, notice.sent_at = Notice.State.SENT, timezone.now()
    elif sending is Sending.REFUSED or notice.attempts >= MOST_ATTEMPTS:
        notice.state = Notice.State.GIVEN_UP
    else:
        notice.due_at = timezone.now() + timedelta(seconds=2**notice.attempts)
    notice.reason = reason
    notice.save(update_fields=["state", "sent_at", "due_at", "reason"])
    log.info("notice_tried", diagnosis=str(diagnosis.pk), state=notice.state, attempts=notice.attempts, reason=reason)


def _texts(notice: Notice, diagnosis: Diagnosis) -> dict[str, str]:
    """What the template's places say; settings.WECHAT_TEMPLATE_FIELDS tells which place has what."""
    suffix = "（演示）" if diagnosis.is_demo else ""
    brand = diagnosis.brand
    if len(brand + suffix) > MOST_TEXT:
        brand = brand[: MOST_TEXT - len(suffix) - 1] + "…"
    finished_at = timezone.localtime(diagnosis.finished_at)
    known = {
        "brand": brand + suffix,
        "status": _status_words(notice, diagnosis),
        "valid": str(diagnosis.valid),
        "planned": str(diagnosis.planned),
        "time": f"{finished_at:%Y-%m-%d %H:%M}",
    }
    return {place: known[name] for place, name in settings.WECHAT_TEMPLATE_FIELDS.items()}


def _status_words(notice: Notice, diagnosis: Diagnosis) -> str:
    """At most five characters, as a template's `phrase` takes."""
    if notice.kind == Notice.Kind.ENDED:
        return str(Status(diagnosis.status).label)
    ways = {move["changed"] for move in notice.data["moves"] if move["is_own"]}
    return MOVE_WORDS.get(next(iter(ways), ""), "提及率变化")


_send_due = database_sync_to_async(send_due_notices, thread_sensitive=False)


async def keep_sending() -> None:
    """Send what is due until cancelled; without a template there is nothing to send."""
    while settings.WECHAT_TEMPLATE_ID:
        try:
            await _send_due()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next look tries again
            log.warning("notices_unsent", error=repr(error))
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
