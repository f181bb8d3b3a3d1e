"""/metrics of a process that serves no pages, such as a worker, on a port of its own (METRICS_PORT)."""

import threading
from http.server import ThreadingHTTPServer

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import MetricsHandler

from monitoring.bearer_token import matches_bearer_token

log = structlog.get_logger(__name__)


def is_metrics_access_allowed(authorization: str) -> bool:
    """Return whether the header has METRICS_TOKEN; if it is not set, access is denied in production only."""
    return has_metrics_token(authorization) if settings.METRICS_TOKEN else not settings.PRODUCTION


def has_metrics_token(authorization: str) -> bool:
    """Return whether an Authorization header has METRICS_TOKEN; always False if it is not set."""
    return matches_bearer_token(authorization, settings.METRICS_TOKEN)


class _MetricsRequestHandler(MetricsHandler):
    timeout = 10  # so that silent clients do not occupy threads

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/metrics" and is_metrics_access_allowed(
            self.headers.get("Authorization", "")
        ):
            super().do_GET()
        else:
            self.send_error(404)


def start_exporter() -> None:
    """Serve this process's metrics in a thread if METRICS_PORT is set. Raises ImproperlyConfigured."""
    host, port = settings.METRICS_HOST, settings.METRICS_PORT
    if not port:
        return
    try:
        server = ThreadingHTTPServer((host, port), _MetricsRequestHandler)
    except (OSError, OverflowError) as error:
        raise ImproperlyConfigured(f"METRICS_PORT: cannot listen on {host}:{port} ({error})") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics_exporter_started", host=host, port=port)
