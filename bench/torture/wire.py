"""A WebSocket client below any library's manners: it says what it is told to, byte by byte, and notes what it hears."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SECONDS = 60.0
TEXT, BINARY, CLOSE = 1, 2, 8
GOODBYE = struct.pack("!H", 1000)


@dataclass(frozen=True)
class Raw:
    """What goes out as it is."""

    data: bytes


@dataclass
class Heard:
    """Frames of JSON in order, and the code of the close; 0 when the connection ended without one."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    close: int = 0
    is_upgraded: bool = False

    @property
    def kinds(self) -> list[str]:
        """The frames' types."""
        return [str(frame.get("type")) for frame in self.frames]


def frame_of(payload: bytes, opcode: int) -> bytes:
    """One masked frame. The mask is naught, which is a mask."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 2**16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


def bytes_of(said: str | bytes | Raw) -> bytes:
    """A text as a text frame, bytes as a binary one, Raw as it is."""
    if isinstance(said, Raw):
        return said.data
    if isinstance(said, bytes):
        return frame_of(said, BINARY)
    return frame_of(said.encode("utf-8", "surrogatepass"), TEXT)


class _Line:
    """A connection whose arrivals stay readable when a send fails: asyncio's transports forget them then."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._loop = asyncio.get_running_loop()
        self.arrived = asyncio.StreamReader()

    async def send(self, data: bytes) -> None:
        """All of it. Raises OSError."""
        await self._loop.sock_sendall(self._line, data)

    async def keep_receiving(self) -> None:
        """Until the other side hangs up, or has reset."""
        with contextlib.suppress(OSError):
            while data := await self._loop.sock_recv(self._line, 65_536):
                self.arrived.feed_data(data)
        self.arrived.feed_eof()


async def say(
    port: int, path: str, said: Sequence[str | bytes | Raw], *, in_drops: bool = False, says_goodbye: bool = True
) -> Heard:
    """Connect, say it all, say goodbye, and listen until the server hangs up. Raises TimeoutError, OSError.

    A goodbye overtakes what the server has not read yet: who waits to be refused says none.
    """
    frames = [bytes_of(one) for one in said] + ([frame_of(GOODBYE, CLOSE)] if says_goodbye else [])
    async with asyncio.timeout(MOST_SECONDS):
        with socket.socket() as opened:
            opened.setblocking(False)
            await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
            line = _Line(opened)
            receiving = asyncio.ensure_future(line.keep_receiving())
            try:
                return await _say(line, path, frames, in_drops=in_drops)
            finally:
                receiving.cancel()
                await asyncio.wait([receiving])


def upgrade(path: str) -> bytes:
    """The request that opens a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


async def _say(line: _Line, path: str, frames: Sequence[bytes], *, in_drops: bool) -> Heard:
    await line.send(upgrade(path))
    head = await line.arrived.readuntil(b"\r\n\r\n")
    heard = Heard(is_upgraded=b" 101 " in head.split(b"\r\n")[0])
    listening = asyncio.ensure_future(_listen(line, heard))
    try:
        with contextlib.suppress(OSError):  # it has hung up on us in the middle
            for frame in frames:
                await _send(line, frame, in_drops=in_drops)
        await listening
    finally:
        listening.cancel()
    return heard


async def _send(line: _Line, data: bytes, *, in_drops: bool) -> None:
    if not in_drops:
        await line.send(data)
        return
    for byte in data:
        await line.send(bytes([byte]))
        await asyncio.sleep(0)


async def _listen(line: _Line, heard: Heard) -> None:
    read = line.arrived.readexactly
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            first, second = await read(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await read(2 if size == 126 else 8), "big")
            payload = await read(size)
            if first & 0x0F == TEXT:
                heard.frames.append(json.loads(payload))
            elif first & 0x0F == CLOSE and not heard.close:
                heard.close = int.from_bytes(payload[:2], "big")
                await line.send(frame_of(GOODBYE, CLOSE))  # or the server waits for it
