"""What an idle socket that has said hello costs a server process."""

import time

from bench.push.load import LoadClient
from bench.push.servers import ServerSpec, running_bench_server
from bench.push.throughput import PushEnvironment, running_feed

MEMORY_SETTLE_SECONDS = 3.0
WARM_UP_SOCKETS = 50


def measure_bytes_per_socket(
    world: PushEnvironment, contestant: ServerSpec, *, settle_seconds: float = MEMORY_SETTLE_SECONDS
) -> float:
    """Bytes of its own memory that each of so many sockets adds, after some have come and gone."""
    with running_bench_server(contestant, world.environment) as server, running_feed(world, server, 0) as feed:
        with LoadClient(server.port, feed.targets[:WARM_UP_SOCKETS]):
            time.sleep(settle_seconds / 3)
        time.sleep(settle_seconds)
        before = server.get_memory_bytes()
        with LoadClient(server.port, feed.targets):
            time.sleep(settle_seconds)
            return (server.get_memory_bytes() - before) / len(feed.targets)
