"""A bare `websockets` server that passes payloads on to sockets.

python -m bench.push.peers.bare_websockets PORT FEED_PORT
"""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.push.peers.feed import listen_for_feed

connections: dict[int, ServerConnection] = {}


async def handle_connection(connection: ServerConnection) -> None:
    """Welcome a connection and keep it until it closes."""
    assert connection.request
    index = int(connection.request.path.strip("/"))
    await connection.send("welcome")
    connections[index] = connection
    await connection.wait_closed()
    connections.pop(index, None)


def deliver(index: int, payload: str) -> None:
    """Send a payload; `broadcast` to one connection is the library's cheapest way."""
    if index in connections:
        broadcast([connections[index]], payload)


async def main(port: int, feed_port: int) -> None:
    """Serve until killed."""
    await listen_for_feed(feed_port, deliver)
    async with serve(handle_connection, "127.0.0.1", port, compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
