"""Signs of life: what must go on happening says when it did, by the database's clock."""

import os
import socket
import threading

import httpx
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from monitoring.models import Heartbeat
from performance.client_metrics import measure_call
from performance.ssrf_guard import HostNotAllowed, get_ssl_context, parse_allowed_host, restrict_hosts

log = structlog.get_logger(__name__)

EVALUATOR_HEARTBEAT, SENDER_HEARTBEAT = "evaluator", "sender"
HEARTBEAT_PING_TIMEOUT_SECONDS = 5.0


def beat(name: str, interval_seconds: float) -> None:
    """Say that it happened just now and will again within the interval. Call it after the work, not before.

    The evaluator's also reaches HEARTBEAT_PING_URL, for a service outside that notices when it stops.
    """
    by = f"{socket.gethostname()}:{os.getpid()}"[:160]
    beaten = {"beaten_at": Now(), "interval_seconds": interval_seconds, "by": by}
    Heartbeat.objects.update_or_create(name=name, defaults=beaten)
    if name == EVALUATOR_HEARTBEAT and settings.HEARTBEAT_PING_URL:
        # Not in the evaluator's own time: a service outside that is slow must not slow us.
        transaction.on_commit(lambda: threading.Thread(target=ping_external_monitor, daemon=True).start())


def _allowed_hosts() -> list[str]:
    return [*parse_allowed_host(settings.HEARTBEAT_PING_URL), *settings.ALERT_HOSTS]


def ping_external_monitor() -> None:
    """Fetch HEARTBEAT_PING_URL; a failure is logged without the address, which is a secret of its own."""
    with measure_call("heartbeat_ping") as call:
        try:
            with restrict_hosts(
                httpx.Client(verify=get_ssl_context(), timeout=HEARTBEAT_PING_TIMEOUT_SECONDS), _allowed_hosts
            ) as client:
                client.get(settings.HEARTBEAT_PING_URL).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, HostNotAllowed) as error:
            call.outcome = type(error).__name__
            log.warning("heartbeat_ping_failed", error=type(error).__name__)
