"""A TCP proxy in a thread that can drop the traffic of its connections without closing them."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testing.services import find_free_port


class TcpProxy:
    """Forwards connections from a port of 127.0.0.1 to another, and drops bytes on demand."""

    def __init__(self, target_port: int) -> None:
        self.port = find_free_port()
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._dropping: set[int] = set()  # numbers of the connections whose bytes are dropped
        self._connection_count = 0
        self._drops_new_connections = False
        self._thread = threading.Thread(target=self._run, name="tcp_proxy", daemon=True)

    def black_hole(self, *, new_connections: bool = False) -> None:
        """Drop from now on all bytes of the open connections, in both directions; optionally also of new ones."""
        self._dropping.update(range(self._connection_count))
        self._drops_new_connections = new_connections

    def start(self) -> None:
        """Start listening."""
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self._connection_count
        self._connection_count += 1
        if self._drops_new_connections:
            self._dropping.add(number)
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._forward(number, reader, target_writer), self._forward(number, target_reader, writer))

    async def _forward(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if number not in self._dropping:
                    writer.write(data)
                    await writer.drain()
        if number not in self._dropping:
            writer.close()


@contextmanager
def running_tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    """Run the block with a proxy to a port of 127.0.0.1."""
    proxy = TcpProxy(target_port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
