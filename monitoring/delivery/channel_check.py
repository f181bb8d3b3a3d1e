"""Send a test message through a channel: once, immediately, outside the outbox, within the channel's rate limit."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from monitoring.delivery.channel_slots import release_channel, reserve_channel
from monitoring.delivery.channels import send_through_channel
from monitoring.delivery.messages import Message
from monitoring.exceptions import ChannelRateLimited, DeliveryFailed
from monitoring.models import Channel

TEST_MESSAGE_NUMBER = 0


def send_test_message(channel: Channel, username: str) -> str:
    """Send a test message and return the provider's code for success; a failure never disables the channel.

    Raises DeliveryFailed, in particular ChannelRateLimited if the channel is busy.
    """
    now = timezone.now()
    with transaction.atomic():
        channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        seconds = (channel.free_at - now).total_seconds()
        if seconds > 0:
            raise ChannelRateLimited(f"渠道正忙或已达每分钟上限，请 {seconds:.0f} 秒后再试", wait_seconds=seconds)
        reserve_channel(channel, now + timedelta(seconds=settings.ALERT_LEASE_SECONDS), now)
    explanation = f"由 {username} 在后台发出，收到即说明渠道可用。"
    message = Message("这是一条测试消息", "test", "info", facts=[("渠道", channel.name), ("说明", explanation)])
    wait_seconds = 0.0
    try:
        code = send_through_channel(channel, message, TEST_MESSAGE_NUMBER)
    except DeliveryFailed as failure:
        wait_seconds = failure.wait_seconds
        Channel.objects.filter(pk=channel.pk).update(last_error=str(failure)[:200])
        raise
    finally:
        release_channel(channel, wait_seconds=wait_seconds)
    Channel.objects.filter(pk=channel.pk).update(last_sent_at=timezone.now(), last_error="")
    return code
