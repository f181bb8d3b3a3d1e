"""The demo platform for a process without a server: only its endpoint, on a free port of 127.0.0.1."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import httpx
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer

from performance.client_metrics import measure_call

DEMO_ENDPOINT_PREFIX = "/demo/v1/"
DEMO_PROBE_TIMEOUT_SECONDS = 2.0


class _QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing; Django logs requests."""


def is_demo_platform_up() -> bool:
    """Whether the demo platform is served at settings.DEMO_BASE_URL: it rejects an empty body with an error."""
    try:
        with measure_call("demo"):
            response = httpx.post(
                f"{settings.DEMO_BASE_URL}/chat/completions",
                json={},
                timeout=DEMO_PROBE_TIMEOUT_SECONDS,
                trust_env=False,
            )
        return response.status_code == 400 and "error" in response.json()
    except (httpx.HTTPError, ValueError):
        return False


@contextlib.contextmanager
def serve_demo_platform() -> Iterator[None]:
    """Serve the demo platform while the block runs, and set settings.DEMO_BASE_URL to it."""
    site = WSGIHandler()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(DEMO_ENDPOINT_PREFIX):
            return site(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])  # nothing else of the site is reachable
        return [b""]

    server = ThreadedWSGIServer(("127.0.0.1", 0), _QuietRequestHandler)
    server.set_app(answer)
    thread = threading.Thread(target=server.serve_forever, name="demo-platform", daemon=True)
    previous_url = settings.DEMO_BASE_URL
    settings.DEMO_BASE_URL = f"http://127.0.0.1:{server.server_port}/demo/v1"
    thread.start()
    try:
        yield
    finally:
        settings.DEMO_BASE_URL = previous_url
        server.shutdown()
        server.server_close()
