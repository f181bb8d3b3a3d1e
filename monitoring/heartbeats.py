"""Heartbeats of periodic activities, stored with the database's clock; watchdog.py checks them."""

import os
import socket
import threading

import httpx
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from monitoring.models import Heartbeat
from performance.bounded_reads import UNCOMPRESSED_HEADERS
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, get_ssl_context, parse_allowed_host, restrict_hosts

log = structlog.get_logger(__name__)

EVALUATOR_HEARTBEAT, SENDER_HEARTBEAT = "evaluator", "sender"
SENDER_HEARTBEAT_SECONDS = 15.0
HEARTBEAT_PING_TIMEOUT_SECONDS = 5.0


def beat(name: str, interval_seconds: float) -> None:
    """Record that an activity has just completed and will again within the interval.

    The evaluator's heartbeat is also sent to HEARTBEAT_PING_URL, an external service that alerts when it stops.
    """
    by = f"{socket.gethostname()}:{os.getpid()}"[:160]
    defaults = {"beaten_at": Now(), "interval_seconds": interval_seconds, "by": by}
    Heartbeat.objects.update_or_create(name=name, defaults=defaults)
    if name == EVALUATOR_HEARTBEAT and settings.HEARTBEAT_PING_URL:
        # In a thread, so that a slow external service does not delay the evaluator.
        transaction.on_commit(lambda: threading.Thread(target=ping_external_monitor, daemon=True).start())


def ping_external_monitor() -> None:
    """Fetch HEARTBEAT_PING_URL; failures are logged without the URL, which is secret."""
    with measure_call("heartbeat_ping") as call:
        try:
            allowed_hosts = [*parse_allowed_host(settings.HEARTBEAT_PING_URL), *settings.ALERT_HOSTS]
            with (
                restrict_hosts(
                    httpx.Client(verify=get_ssl_context(), timeout=HEARTBEAT_PING_TIMEOUT_SECONDS),
                    lambda: allowed_hosts,
                ) as client,
                # Only the status counts, so the body is not read.
                client.stream("GET", settings.HEARTBEAT_PING_URL, headers=UNCOMPRESSED_HEADERS) as response,
            ):
                response.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, HostNotAllowed) as error:
            call.outcome = type(error).__name__
            log.warning("heartbeat_ping_failed", error=type(error).__name__)
