"""A channel sends one message at a time and at most as many per minute as its provider accepts."""

from datetime import datetime, timedelta

from django.utils import timezone

from monitoring.delivery.channels import TRANSPORTS
from monitoring.models import Channel

RATE_WINDOW_SECONDS = 61.0  # a minute of the provider's clock, plus a second in transit


def reserve_channel(channel: Channel, until: datetime, now: datetime) -> None:
    """Reserve the channel for one message; the caller holds its row lock and calls `release_channel` afterwards."""
    since = now.timestamp() - RATE_WINDOW_SECONDS
    channel.tried_at = [*(moment for moment in channel.tried_at if moment > since), now.timestamp()]
    channel.free_at = until
    channel.save(update_fields=["tried_at", "free_at"])


def release_channel(channel: Channel, *, wait_seconds: float = 0.0) -> None:
    """Free the channel: now, after the wait its provider demanded, or when its rate window has room again."""
    now = timezone.now()
    free_at = now + timedelta(seconds=wait_seconds)
    max_per_minute = TRANSPORTS[channel.kind].max_per_minute
    if max_per_minute and len(channel.tried_at) >= max_per_minute:
        slot_free_at = datetime.fromtimestamp(channel.tried_at[-max_per_minute] + RATE_WINDOW_SECONDS, tz=now.tzinfo)
        free_at = max(free_at, slot_free_at)
    Channel.objects.filter(pk=channel.pk).update(free_at=free_at)
