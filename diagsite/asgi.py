"""HTTP to Django, WebSocket to the consumers."""

import gc
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
django.setup(set_prefix=False)

# These import apps, which must be loaded first.
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
        # Only cookies: the consumer looks up the session once, when a client without token sends its hello.
        "websocket": CookieMiddleware(
            URLRouter(measured_routes([*websocket_urlpatterns, re_path(r"", UnknownPathConsumer.as_asgi())]))
        ),
    }
)

# Load the published error messages before the first failure.
refresh_thread.ensure_running()

# Exclude loaded modules from garbage collection, which would pause the process for 0.15 s at a time.
gc.collect()
gc.freeze()
