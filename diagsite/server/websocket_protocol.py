"""daphne's WebSocket protocol with the site's options: any Origin, compression, reasons in close frames, flow control.

A server that writes and reads without limits keeps it all in memory for a peer that does not read or
floods it. Here a message waits until the bytes before it have left, and a peer that exceeds a limit is disconnected.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings

MAX_SOCKET_MESSAGE_BYTES = 64 * 1024  # in both directions
MAX_RECEIVED_MESSAGE_BYTES = 16 * 1024  # the application refuses more than 4 KiB with a reason
WRITE_BUFFER_BYTES = 4 * 1024  # beyond it, messages wait
STALL_GRACES = 4  # times PONG_GRACE_SECONDS: within that a peer must have read the buffer and the message after it
MAX_CONTROL_FRAMES_PER_SECOND = 10
MAX_UNHANDLED_MESSAGES = 64  # received, but not yet handled by the application
# autobahn's default of 1 s can become 0, as its timer counts whole seconds; then the connection is dropped before the
# close frame is sent.
CLOSE_HANDSHAKE_TIMEOUT_SECONDS = 3

# zlib's defaults use 256 KiB per socket, these 24 KiB; a window of 4 KiB is enough for the repetitions of events.
SERVER_WINDOW_BITS = 12
MEMORY_LEVEL = 4
CLIENT_WINDOW_BITS = 10  # clients send small frames

_ORIGIN_LINE = re.compile(rb"\r\nOrigin:[ \t]*([^\r\n]*)(?=\r\n)", re.IGNORECASE)


class SiteWebSocketProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Leaves the Origin header to the application.

    autobahn answers an Origin that is not a URL with a bare 400, and WeChat sends such ones (`http://host,undefined`).
    """

    data: bytes
    _origin: bytes | None = None
    _control_window = (0, 0)  # the current second, control frames in it
    _stall_timer: asyncio.TimerHandle | None = None

    def processHandshake(self) -> None:
        """Take the Origin out of the request before autobahn parses it."""
        head, separator, rest = self.data.partition(b"\r\n\r\n")
        origin_line = _ORIGIN_LINE.search(head + b"\r\n")
        if separator and origin_line:
            self._origin = origin_line[1].strip()
            self.data = head[: origin_line.start()] + head[origin_line.end() :] + separator + rest
        super().processHandshake()

    def onConnect(self, request: Any) -> Any:
        """Put the Origin back for the application."""
        if self._origin is not None:
            request.headers["origin"] = self._origin.decode("latin-1")
        return super().onConnect(request)

    def connectionMade(self) -> None:
        """Let the transport tell this protocol when its buffer is full, instead of the upgraded HTTP connection."""
        super().connectionMade()
        self._is_writable = asyncio.Event()
        self._is_writable.set()
        self.transport.bufferSize = WRITE_BUFFER_BYTES
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, streaming=True)

    @property
    def is_write_buffer_empty(self) -> bool:
        """Whether the transport accepts more; it does so again only when its buffer is empty."""
        return self._is_writable.is_set()

    async def wait_until_writable(self) -> None:
        """Return when the transport's buffer is no longer full, or the connection has ended."""
        await self._is_writable.wait()

    def pauseProducing(self) -> None:
        """The transport's buffer is full: let messages wait, and the peer not take forever."""
        self._is_writable.clear()
        if self._stall_timer is None:
            self._stall_timer = asyncio.get_running_loop().call_later(
                STALL_GRACES * settings.PONG_GRACE_SECONDS, self._abort
            )

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._is_writable.set()
        if self._stall_timer:
            self._stall_timer.cancel()
            self._stall_timer = None

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.resumeProducing()

    def onClose(self, *reason: Any) -> None:
        """Let no message wait any longer."""
        self.resumeProducing()
        super().onClose(*reason)

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a message that is too big before it is read."""
        super().onMessageFrameBegin(length)
        total = self.message_data_total_length
        if not self.failedByMe and total > MAX_RECEIVED_MESSAGE_BYTES:
            self.wasMaxMessagePayloadSizeExceeded = True
            self._max_message_size_exceeded(total, MAX_RECEIVED_MESSAGE_BYTES, f"a message of {total} bytes")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Disconnect a peer that sends faster than the application takes its messages."""
        if self.application_queue.qsize() >= MAX_UNHANDLED_MESSAGES:
            self._abort()
        else:
            super().onMessage(payload, isBinary)

    def processControlFrame(self) -> bool:
        """Disconnect a peer that sends too many pings or pongs."""
        second, count = self._control_window
        now = int(time.monotonic())
        self._control_window = (now, count + 1 if now == second else 1)
        if self._control_window[1] > MAX_CONTROL_FRAMES_PER_SECOND:
            self._abort()
            return False
        is_to_go_on: bool = super().processControlFrame()
        return is_to_go_on

    def _abort(self) -> None:
        self.wasClean, self.wasNotCleanReason = False, "the peer does not read, or sends too much"
        self.dropConnection(abort=True)


def configure_websockets(factory: Any) -> None:
    """Set protocol and options of daphne's WebSocket factory, in one call: a call resets options."""
    factory.protocol = SiteWebSocketProtocol
    factory.setProtocolOptions(
        allowNullOrigin=True,
        maxFramePayloadSize=MAX_SOCKET_MESSAGE_BYTES,
        maxMessagePayloadSize=MAX_SOCKET_MESSAGE_BYTES,
        failByDrop=False,  # a client that violates the protocol gets a close frame with the reason
        closeHandshakeTimeout=CLOSE_HANDSHAKE_TIMEOUT_SECONDS,
        perMessageCompressionAccept=_accept_compression,
    )


def _accept_compression(offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
    """Accept the first offer that autobahn supports; the limit applies to decompressed messages."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(  # type: ignore[no-untyped-call]
                offer,
                request_max_window_bits=CLIENT_WINDOW_BITS if offer.accept_max_window_bits else 0,
                window_bits=min(SERVER_WINDOW_BITS, offer.request_max_window_bits or SERVER_WINDOW_BITS),
                mem_level=MEMORY_LEVEL,
                max_message_size=MAX_SOCKET_MESSAGE_BYTES,
            )
    return None
