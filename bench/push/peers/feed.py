"""The feed of an alternative server: lines of `index TAB payload` over one TCP connection."""

import asyncio
from collections.abc import Callable

Deliver = Callable[[int, str], None]


class LineProtocol(asyncio.Protocol):
    """Splits received data into lines and delivers each."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Deliver complete lines and keep the rest."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            index, _, payload = line.partition(b"\t")
            self._deliver(int(index), payload.decode())


async def listen_for_feed(port: int, deliver: Deliver) -> None:
    """Accept feeds on a port of 127.0.0.1."""
    await asyncio.get_running_loop().create_server(lambda: LineProtocol(deliver), "127.0.0.1", port)
