"""The dead-man's switch: what must go on happening says so, and every server process watches that it does."""

import os
import socket

from django.db.models.functions import Now

from monitoring.models import Heartbeat

EVALUATOR, SENDER = "evaluator", "sender"


def beat(name: str, interval_seconds: float) -> None:
    """Say that it happened just now and will again within the interval. Call it after the work, not before."""
    by = f"{socket.gethostname()}:{os.getpid()}"[:160]
    beaten = {"beaten_at": Now(), "interval_seconds": interval_seconds, "by": by}
    Heartbeat.objects.update_or_create(name=name, defaults=beaten)


async def keep_watching() -> None:
    """Look after the heartbeats until cancelled."""
