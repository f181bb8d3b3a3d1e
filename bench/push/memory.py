"""What an idle socket that has said hello costs a server process."""

import time

from bench.push.load import Client
from bench.push.servers import Contestant, served
from bench.push.throughput import World, fed

SETTLE_SECONDS = 3.0
WARM_UP = 50


def bytes_a_socket(world: World, contestant: Contestant, *, settle_seconds: float = SETTLE_SECONDS) -> float:
    """Bytes of its own memory that each of so many sockets adds, after some have come and gone."""
    with served(contestant, world.environment) as server, fed(world, server, 0) as feed:
        with Client(server.port, feed.targets[:WARM_UP]):
            time.sleep(settle_seconds / 3)
        time.sleep(settle_seconds)
        before = server.memory()
        with Client(server.port, feed.targets):
            time.sleep(settle_seconds)
            return (server.memory() - before) / len(feed.targets)
