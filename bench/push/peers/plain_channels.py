"""A plain Channels consumer in a group per stream, as in the tutorial, for daphne."""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

LAYER = {
    "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "CONFIG": {"hosts": [{"address": os.environ["REDIS_URL"], "socket_timeout": None}]},
}
settings.configure(CHANNEL_LAYERS={"default": LAYER}, ALLOWED_HOSTS=["*"])


class PlainConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Passes on what is sent to its group."""

    async def connect(self) -> None:
        """Join the group."""
        await self.channel_layer.group_add(f"stream.{self.scope['url_route']['kwargs']['index']}", self.channel_name)
        await self.accept()
        await self.send(text_data="welcome")

    async def event(self, message: dict[str, Any]) -> None:
        """Pass an event on."""
        await self.send(text_data=message["text"])


application = ProtocolTypeRouter({"websocket": URLRouter([re_path(r"^(?P<index>[0-9]+)$", PlainConsumer.as_asgi())])})
