"""A WebSocket client that sends arbitrary bytes and records the received frames."""

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

CONVERSATION_TIMEOUT_SECONDS = 60.0
TEXT, BINARY, CLOSE = 1, 2, 8
NORMAL_CLOSE_PAYLOAD = struct.pack("!H", 1000)


@dataclass(frozen=True)
class RawBytes:
    """Bytes to send without framing."""

    data: bytes


@dataclass
class ReceivedFrames:
    """The JSON frames in order, and the close code; 0 if the connection ended without a close frame."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    close_code: int = 0
    is_upgraded: bool = False

    @property
    def kinds(self) -> list[str]:
        """The types of the frames."""
        return [str(frame.get("type")) for frame in self.frames]


def build_masked_frame(payload: bytes, opcode: int) -> bytes:
    """Build a masked frame. The mask is zero, which is valid."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 2**16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


def encode_message(message: str | bytes | RawBytes) -> bytes:
    """Encode str as a text frame, bytes as a binary frame, RawBytes as they are."""
    if isinstance(message, RawBytes):
        return message.data
    if isinstance(message, bytes):
        return build_masked_frame(message, BINARY)
    return build_masked_frame(message.encode("utf-8", "surrogatepass"), TEXT)


class _RawConnection:
    """A connection whose received data stays readable after a failed send, unlike that of asyncio's transports."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._loop = asyncio.get_running_loop()
        self.received = asyncio.StreamReader()

    async def send(self, data: bytes) -> None:
        """Send all data. Raises OSError."""
        await self._loop.sock_sendall(self._line, data)

    async def receive_until_closed(self) -> None:
        """Receive until the server closes or resets the connection."""
        with contextlib.suppress(OSError):
            while data := await self._loop.sock_recv(self._line, 65_536):
                self.received.feed_data(data)
        self.received.feed_eof()


async def run_raw_conversation(
    port: int,
    path: str,
    messages: Sequence[str | bytes | RawBytes],
    *,
    is_bytewise: bool = False,
    sends_close: bool = True,
) -> ReceivedFrames:
    """Connect, send the messages and a close, and receive until the server closes. Raises TimeoutError, OSError.

    The server may handle a close before messages sent earlier: a client that expects a refusal sends none.
    """
    frames = [encode_message(message) for message in messages] + (
        [build_masked_frame(NORMAL_CLOSE_PAYLOAD, CLOSE)] if sends_close else []
    )
    async with asyncio.timeout(CONVERSATION_TIMEOUT_SECONDS):
        with socket.socket() as raw_socket:
            raw_socket.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw_socket, ("127.0.0.1", port))
            line = _RawConnection(raw_socket)
            receiving = asyncio.ensure_future(line.receive_until_closed())
            try:
                return await _exchange(line, path, frames, is_bytewise=is_bytewise)
            finally:
                receiving.cancel()
                await asyncio.wait([receiving])


def build_upgrade_request(path: str, *header_lines: str) -> bytes:
    """Build the request that opens a WebSocket, with further header lines."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        + "".join(f"{line}\r\n" for line in [*header_lines, ""])
    ).encode("latin-1")


async def _exchange(line: _RawConnection, path: str, frames: Sequence[bytes], *, is_bytewise: bool) -> ReceivedFrames:
    await line.send(build_upgrade_request(path))
    head = await line.received.readuntil(b"\r\n\r\n")
    received_frames = ReceivedFrames(is_upgraded=b" 101 " in head.split(b"\r\n")[0])
    listening = asyncio.ensure_future(_read_frames(line, received_frames))
    try:
        with contextlib.suppress(OSError):  # the server has closed before the last frame
            for frame in frames:
                await _send_frame(line, frame, is_bytewise=is_bytewise)
        await listening
    finally:
        listening.cancel()
    return received_frames


async def _send_frame(line: _RawConnection, data: bytes, *, is_bytewise: bool) -> None:
    if not is_bytewise:
        await line.send(data)
        return
    for byte in data:
        await line.send(bytes([byte]))
        await asyncio.sleep(0)


async def _read_frames(line: _RawConnection, received: ReceivedFrames) -> None:
    read = line.received.readexactly
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            first, second = await read(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await read(2 if size == 126 else 8), "big")
            payload = await read(size)
            if first & 0x0F == TEXT:
                received.frames.append(json.loads(payload))
            elif first & 0x0F == CLOSE and not received.close_code:
                received.close_code = int.from_bytes(payload[:2], "big")
                await line.send(build_masked_frame(NORMAL_CLOSE_PAYLOAD, CLOSE))  # or the server waits for it
