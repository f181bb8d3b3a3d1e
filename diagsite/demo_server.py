"""The demo platform for a process that serves no site: its endpoint alone, on a free port of 127.0.0.1."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import httpx
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer

from performance.outgoing import measured_call

PATH = "/demo/v1/chat/completions"
ASK_SECONDS = 2.0


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Django logs what matters of a request."""


def demo_platform_answers() -> bool:
    """Whether the demo platform is served at settings.DEMO_BASE_URL: it refuses an empty body in its own way."""
    try:
        with measured_call("demo"):
            refusal = httpx.post(
                f"{settings.DEMO_BASE_URL}/chat/completions", json={}, timeout=ASK_SECONDS, trust_env=False
            )
        return refusal.status_code == 400 and "error" in refusal.json()
    except (httpx.HTTPError, ValueError):
        return False


@contextlib.contextmanager
def demo_platform() -> Iterator[None]:
    """Serve the demo platform for as long as the block runs, and point this process at it."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Handler)
    server.set_app(_only(PATH, WSGIHandler()))
    thread = threading.Thread(target=server.serve_forever, name="demo-platform", daemon=True)
    before = settings.DEMO_BASE_URL
    settings.DEMO_BASE_URL = f"http://127.0.0.1:{server.server_port}/demo/v1"
    thread.start()
    try:
        yield
    finally:
        settings.DEMO_BASE_URL = before
        server.shutdown()
        server.server_close()


def _only(path: str, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The application at one path: nothing else of the site is meant to be open here."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == path:
            return application(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b""]

    return answer
