"""HTTP to Django, WebSocket to the consumers."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
django.setup(set_prefix=False)

# Only now are the apps loaded that these import.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402
from django.urls import re_path  # noqa: E402

from diagsite.server.asgi_handler import SiteASGIHandler  # noqa: E402
from errors.catalogue.snapshot import refresh_thread  # noqa: E402
from monitoring.instrumentation.sockets import measured_routes  # noqa: E402
from progress.consumers import UnknownPathConsumer  # noqa: E402
from progress.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": SiteASGIHandler(),
        # Cookies alone: who has no token is looked up by the session when it says hello, not at every frame.
        "websocket": CookieMiddleware(
            URLRouter(measured_routes([*websocket_urlpatterns, re_path(r"", UnknownPathConsumer.as_asgi())]))
        ),
    }
)

# The first failure of this process is told in the published words already, not in the built-in ones.
refresh_thread.ensure_running()

# Whatever has been loaded stays: without this, looking through it for garbage stops the process for 0.15 s at a time.
gc.collect()
gc.freeze()
