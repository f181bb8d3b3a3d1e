"""Response bodies that are requested often, from the cache. A cache hit needs no thread."""

from django.contrib.auth.base_user import AbstractBaseUser

from diagnosis.api.serializers import serialize_platforms
from diagnosis.choices import ClientKind
from diagnosis.models import PLATFORMS_CACHE_TAG, Platform
from diagnosis.reports.cache import serialize_json
from diagnosis.spending.estimates import get_costs_per_answer
from diagnosis.statistics import compute_statistics
from performance.cache import get_cache

# The end of a pause changes no row, so it is visible after this time at most.
_platform_cache = get_cache(ttl=5, namespace="platforms")
_statistics_cache = get_cache(ttl=60, namespace="statistics")


async def get_platforms_json(client: ClientKind) -> str:
    """Return the platforms that are offered to the client, with health, price and typical duration, as JSON."""
    body: str = await _platform_cache.aload_blocking(
        client.value,
        lambda: _build_platforms_json(client),
        tags=[PLATFORMS_CACHE_TAG],
    )
    return body


def _build_platforms_json(client: ClientKind) -> str:
    platforms = list(Platform.objects.offered_to(client))
    costs = get_costs_per_answer(platforms)
    return serialize_json(serialize_platforms(platforms, costs))


async def get_statistics_json(user: AbstractBaseUser) -> str:
    """Return counts over the user's diagnoses, for staff over those of all users, at most a minute old, as JSON."""
    owner_id = None if user.is_staff else user.pk  # type: ignore[attr-defined]
    body: str = await _statistics_cache.aload_blocking(
        str(owner_id or "all"),
        lambda: serialize_json(compute_statistics(owner_id)),
    )
    return body


def delete_cached_statistics(user_id: int) -> None:
    """Delete the stored counts of a user."""
    _statistics_cache.delete(str(user_id))
