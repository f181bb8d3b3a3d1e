"""Memory of a server process per idle socket, after its hello."""

import time

from bench.push.load import LoadClient
from bench.push.servers import ServerSpec, running_bench_server
from bench.push.throughput import PushEnvironment, running_feed

MEMORY_SETTLE_SECONDS = 3.0
WARM_UP_SOCKETS = 50


def measure_bytes_per_socket(
    environment: PushEnvironment, spec: ServerSpec, *, settle_seconds: float = MEMORY_SETTLE_SECONDS
) -> float:
    """Return the bytes of unshared memory that each socket adds, after some others have come and gone."""
    with running_bench_server(spec, environment.variables) as server, running_feed(environment, server, 0) as feed:
        with LoadClient(server.port, feed.targets[:WARM_UP_SOCKETS]):
            time.sleep(settle_seconds / 3)
        time.sleep(settle_seconds)
        before = server.get_memory_bytes()
        with LoadClient(server.port, feed.targets):
            time.sleep(settle_seconds)
            return (server.get_memory_bytes() - before) / len(feed.targets)
