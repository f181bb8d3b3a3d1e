"""daphne's WebSocket protocol with the site's options: any Origin, compression, close frames with a reason."""

import re
from collections.abc import Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne.ws_protocol import WebSocketProtocol

MAX_SOCKET_MESSAGE_BYTES = 64 * 1024
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
