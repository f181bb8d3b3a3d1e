"""A test of a channel: one message, now, outside the outbox, and within what the robot takes in a minute."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from monitoring.delivery.channels import send_through_channel
from monitoring.delivery.messages import Message
from monitoring.delivery.outbox import release_channel, reserve_channel
from monitoring.exceptions import ChannelRateLimited, DeliveryFailed
from monitoring.models import Channel

TEST_MESSAGE_NUMBER = 0


def send_test_message(channel: Channel, username: str) -> str:
    """Send it; returns the other side's code for success. A failure disables nothing. Raises DeliveryFailed."""
    channel = _reserve_idle_channel(channel)
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


def _reserve_idle_channel(channel: Channel) -> Channel:
    """The channel, kept for this send. Raises ChannelRateLimited while it is busy."""
    now = timezone.now()
    with transaction.atomic():
        channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        seconds = (channel.free_at - now).total_seconds()
        if seconds > 0:
            raise ChannelRateLimited(f"渠道正忙或已达每分钟上限，请 {seconds:.0f} 秒后再试", wait_seconds=seconds)
        reserve_channel(channel, now + timedelta(seconds=settings.ALERT_LEASE_SECONDS), now)
    return channel
