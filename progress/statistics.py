"""Connection statistics; each server process writes its own row."""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone
from prometheus_client import Counter, Gauge

from progress import metrics
from progress.models import PushProcess

PROCESS_STALE_AFTER = timedelta(seconds=15)
PROCESS_NAME = f"{socket.gethostname()}:{os.getpid()}"
_started_at = timezone.now()


@dataclass(frozen=True)
class ConnectionStatistics:
    """Connections that are open now, in live processes, and totals since the rows were last pruned."""

    sockets_open: int
    polls_open: int
    sockets_total: int
    frames_sent: int
    bytes_sent: int
    bytes_received: int
    by_process: dict[str, int]


def report_connections() -> None:
    """Write the counts of this process to its row."""
    PushProcess.objects.update_or_create(
        name=PROCESS_NAME,
        defaults={
            "sockets_open": _get_metric_value(metrics.stream_sockets_open),
            "sockets_total": _get_metric_value(metrics.sockets_opened),
            "polls_open": _get_metric_value(metrics.polls_open),
            "frames_sent": _get_metric_value(metrics.frames_sent),
            "bytes_sent": _get_metric_value(metrics.bytes_sent),
            "bytes_received": _get_metric_value(metrics.bytes_received),
            "started_at": _started_at,
            "seen_at": timezone.now(),
        },
    )


def get_connection_statistics() -> ConnectionStatistics:
    """Return the sums over all server processes."""
    live = PushProcess.objects.filter(seen_at__gt=timezone.now() - PROCESS_STALE_AFTER)
    sums = PushProcess.objects.aggregate(
        **{name: Sum(name) for name in ("sockets_total", "frames_sent", "bytes_sent", "bytes_received")}
    )
    open_now = live.aggregate(sockets_open=Sum("sockets_open"), polls_open=Sum("polls_open"))
    counts = {name: value or 0 for name, value in (sums | open_now).items()}
    return ConnectionStatistics(by_process=dict(live.values_list("name", "sockets_open")), **counts)


def _get_metric_value(metric: Counter | Gauge) -> int:
    return int(next(iter(metric.collect())).samples[0].value)
