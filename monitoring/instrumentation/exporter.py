"""/metrics of a process that serves no pages: a worker's, on a port of its own (METRICS_PORT)."""

import secrets
import threading
from http.server import ThreadingHTTPServer

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import MetricsHandler

log = structlog.get_logger(__name__)


def is_metrics_access_allowed(authorization: str) -> bool:
    """Whether the header names METRICS_TOKEN. Without a token nobody may in production, and everybody elsewhere."""
    return has_metrics_token(authorization) if settings.METRICS_TOKEN else not settings.PRODUCTION


def has_metrics_token(authorization: str) -> bool:
    """Whether an Authorization header names METRICS_TOKEN. Without a token nobody can."""
    given, token = authorization.removeprefix("Bearer "), settings.METRICS_TOKEN
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())


class _MetricsRequestHandler(MetricsHandler):
    timeout = 10  # a client that says nothing keeps no thread

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/metrics" and is_metrics_access_allowed(
            self.headers.get("Authorization", "")
        ):
            super().do_GET()
        else:
            self.send_error(404)


def start_exporter() -> None:
    """Show this process's metrics in a thread, when METRICS_PORT is set. Raises ImproperlyConfigured."""
    host, port = settings.METRICS_HOST, settings.METRICS_PORT
    if not port:
        return
    try:
        server = ThreadingHTTPServer((host, port), _MetricsRequestHandler)
    except (OSError, OverflowError) as error:
        raise ImproperlyConfigured(f"METRICS_PORT: cannot listen on {host}:{port} ({error})") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics_shown", host=host, port=port)
