"""How many diagnoses may be unfinished at once: what comes after is told when to come back."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Q

from diagnosis.exceptions import OwnerHasTooMany, SiteIsFull
from diagnosis.models import Diagnosis

RETRY_AFTER_MS = 30_000


def admit(owner: AbstractBaseUser) -> None:
    """Raise SiteIsFull or OwnerHasTooMany when one more must not be accepted now.

    Counted without a lock: orders that are placed in the same moment may pass together, one a serving thread.
    """
    counts = Diagnosis.objects.unfinished().aggregate(
        of_all=Count("pk"), of_owner=Count("pk", filter=Q(owner_id=owner.pk))
    )
    if _is_reached(settings.MAX_UNFINISHED_DIAGNOSES, counts["of_all"]):
        raise SiteIsFull(retry_after_ms=RETRY_AFTER_MS)
    if _is_reached(settings.MAX_UNFINISHED_PER_OWNER, counts["of_owner"]):
        raise OwnerHasTooMany(retry_after_ms=RETRY_AFTER_MS)


def _is_reached(most: int, count: int) -> bool:
    """0 is no bound."""
    return 0 < most <= count
