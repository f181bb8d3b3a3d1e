"""The channel kinds and the one function that sends through them. A new kind is registered in TRANSPORTS."""

from monitoring.delivery.channel_secrets import decrypt_secrets
from monitoring.delivery.channels.apprise import Apprise
from monitoring.delivery.channels.base import OutgoingMessage, Transport
from monitoring.delivery.channels.dingtalk import DingTalk
from monitoring.delivery.channels.email import Email
from monitoring.delivery.channels.feishu import Feishu
from monitoring.delivery.channels.webhook import Webhook
from monitoring.delivery.channels.wecom import WeCom
from monitoring.delivery.messages import Message
from monitoring.models import Channel

TRANSPORTS: dict[str, Transport] = {
    Channel.Kind.DINGTALK: DingTalk(),
    Channel.Kind.WECOM: WeCom(),
    Channel.Kind.FEISHU: Feishu(),
    Channel.Kind.EMAIL: Email(),
    Channel.Kind.WEBHOOK: Webhook(),
    Channel.Kind.APPRISE: Apprise(),
}


def send_through_channel(channel: Channel, message: Message, number: int) -> str:
    """Send a message and return the provider's code for success. Raises only DeliveryFailed."""
    outgoing = OutgoingMessage(number, message, decrypt_secrets(channel.secrets), parse_recipients(channel.recipients))
    return TRANSPORTS[channel.kind].send(outgoing)


def parse_recipients(text: str) -> list[str]:
    """Return the addresses of a line separated by commas or semicolons, also Chinese ones."""
    addresses = text.replace("，", ",").replace("；", ",").replace(";", ",").split(",")
    return [address.strip() for address in addresses if address.strip()]
