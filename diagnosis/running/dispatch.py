"""Which unfinished diagnoses have a job: at most MAX_RUNNING_PER_OWNER of each owner, the others wait for their turn.

The next one of an owner gets its job when another ends. Jobs are fetched in the order in which they were enqueued, so
owners take turns: a diagnosis waits for at most MAX_RUNNING_PER_OWNER of every other owner.
"""

import logging
import uuid
from collections import Counter

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F

from diagnosis.models import Diagnosis
from diagnosis.running import queue

log = structlog.get_logger(__name__)

MAX_ORPHANS_PER_SWEEP = 100
_OWNER_LOCK_CLASS = 1_204_817_331  # arbitrary, but unique among the advisory locks


def enqueue_in_turn(diagnosis: Diagnosis) -> None:
    """Enqueue the run of a new diagnosis unless its owner has enough of them, in the current transaction."""
    _lock_owner(diagnosis.owner_id)
    if _has_room(diagnosis.owner_id):
        _enqueue(diagnosis)


def enqueue_next(owner_id: int) -> None:
    """Enqueue the owner's next waiting diagnosis, if there is room for one. At the end of a transaction."""
    if not settings.MAX_RUNNING_PER_OWNER:
        return
    _lock_owner(owner_id)
    if not _has_room(owner_id):
        return
    waiting = queue.filter_without_live_job(Diagnosis.objects.unfinished().filter(owner_id=owner_id))
    in_order = waiting.order_by(F("started_at").asc(nulls_last=True), "created_at")
    diagnosis = in_order.select_for_update(of=("self",), skip_locked=True).first()
    if diagnosis:
        _enqueue(diagnosis)


def requeue_orphans() -> int:
    """Enqueue unfinished diagnoses without a live job for which their owners have room; returns how many.

    Those that had begun need no room: a worker was running them, and their deadlines pass.
    """
    unfinished = Diagnosis.objects.unfinished()
    live = queue.filter_with_live_job(unfinished).order_by().values_list("owner_id").annotate(Count("pk"))
    counts = Counter(dict(live))
    orphans = queue.filter_without_live_job(unfinished).order_by(F("started_at").asc(nulls_last=True), "created_at")
    chosen = []
    for pk, owner_id, started_at in orphans.values_list("pk", "owner_id", "started_at"):
        if started_at or not 0 < settings.MAX_RUNNING_PER_OWNER <= counts[owner_id]:
            counts[owner_id] += 1
            chosen.append((pk, owner_id))
    return sum(_requeue(pk, owner_id) for pk, owner_id in chosen[:MAX_ORPHANS_PER_SWEEP])


def _requeue(pk: uuid.UUID, owner_id: int) -> bool:
    with transaction.atomic():
        _lock_owner(owner_id)
        unfinished = queue.filter_without_live_job(Diagnosis.objects.unfinished())
        diagnosis = unfinished.select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
        if diagnosis is None or not (diagnosis.started_at or _has_room(owner_id)):
            return False
        is_lost = diagnosis.started_at is not None or diagnosis.job_id is not None
        _enqueue(diagnosis)
    log.log(logging.WARNING if is_lost else logging.INFO, "diagnosis_requeued", diagnosis=str(pk))
    return True


def _lock_owner(owner_id: int) -> None:
    """Make concurrent decisions about an owner wait for the end of this transaction; it must end soon."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_OWNER_LOCK_CLASS, owner_id % 2**31])


def _has_room(owner_id: int) -> bool:
    limit = settings.MAX_RUNNING_PER_OWNER
    if not limit:
        return True
    return queue.filter_with_live_job(Diagnosis.objects.unfinished().filter(owner_id=owner_id)).count() < limit


def _enqueue(diagnosis: Diagnosis) -> None:
    # A diagnosis that had begun goes first: its deadline is running.
    diagnosis.job_id = queue.enqueue_run(diagnosis.pk, is_prioritized=diagnosis.started_at is not None)
    diagnosis.save(update_fields=["job_id"])
