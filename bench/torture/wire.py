"""A WebSocket client below any library's manners: it says what it is told to, byte by byte, and notes what it hears."""

import asyncio
import base64
import json
import os
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


async def say(
    port: int, path: str, said: Sequence[str | bytes | Raw], *, in_drops: bool = False, says_goodbye: bool = True
) -> Heard:
    """Connect, say it all, say goodbye, and listen until the server hangs up. Raises TimeoutError, OSError.

    A goodbye overtakes what the server has not read yet: who waits to be refused says none.
    """
    async with asyncio.timeout(MOST_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await _say(reader, writer, path, said, in_drops=in_drops, says_goodbye=says_goodbye)
        finally:
            writer.transport.abort()


async def _say(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    path: str,
    said: Sequence[str | bytes | Raw],
    *,
    in_drops: bool,
    says_goodbye: bool,
) -> Heard:
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    heard = Heard(is_upgraded=b" 101 " in head.split(b"\r\n")[0])
    listening = asyncio.ensure_future(_listen(reader, writer, heard))
    try:
        for one in [*said, Raw(frame_of(GOODBYE, CLOSE))] if says_goodbye else said:
            await _send(writer, bytes_of(one), in_drops=in_drops)
        await listening
    except OSError:  # it has hung up on us in the middle
        await listening
    finally:
        listening.cancel()
    return heard


async def _send(writer: asyncio.StreamWriter, data: bytes, *, in_drops: bool) -> None:
    if not in_drops:
        writer.write(data)
        await writer.drain()
        return
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Heard) -> None:
    try:
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            payload = await reader.readexactly(size)
            if first & 0x0F == TEXT:
                heard.frames.append(json.loads(payload))
            elif first & 0x0F == CLOSE and not heard.close:
                heard.close = int.from_bytes(payload[:2], "big")
                writer.write(frame_of(GOODBYE, CLOSE))  # or the server waits for it
    except (asyncio.IncompleteReadError, OSError):
        return
