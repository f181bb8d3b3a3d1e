"""Quotas of unfinished diagnoses, of the site and of each owner."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Q

from diagnosis.exceptions import QueueFull, TooManyUnfinished
from diagnosis.models import Diagnosis

QUOTA_RETRY_AFTER_MS = 30_000


def check_quota(owner: AbstractBaseUser) -> None:
    """Raise QueueFull or TooManyUnfinished if no further diagnosis can be accepted now.

    Counted without a lock, so concurrent requests may exceed a quota by one per server thread.
    """
    counts = Diagnosis.objects.unfinished().aggregate(
        of_all=Count("pk"), of_owner=Count("pk", filter=Q(owner_id=owner.pk))
    )
    if _is_quota_reached(settings.MAX_UNFINISHED_DIAGNOSES, counts["of_all"]):
        raise QueueFull(retry_after_ms=QUOTA_RETRY_AFTER_MS)
    if _is_quota_reached(settings.MAX_UNFINISHED_PER_OWNER, counts["of_owner"]):
        raise TooManyUnfinished(retry_after_ms=QUOTA_RETRY_AFTER_MS)


def _is_quota_reached(quota: int, count: int) -> bool:
    """A quota of 0 means unlimited."""
    return 0 < quota <= count
