"""Compressed socket frames for clients that offer it: events repeat their keys and ids."""

from collections.abc import Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

# zlib's defaults take 256 KiB a socket. These take 24, and the last 4 KiB hold all there is to repeat.
SERVER_WINDOW_BITS = 12
MEMORY_LEVEL = 4
CLIENT_WINDOW_BITS = 10  # of a client that lets us choose: its frames are small


def enable_frame_compression(factory: Any, max_message_bytes: int) -> None:
    """Have daphne's WebSocket factory accept offers to compress; what a client sends may not swell beyond the limit."""

    def accept(offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer):
                return PerMessageDeflateOfferAccept(  # type: ignore[no-untyped-call]
                    offer,
                    request_max_window_bits=CLIENT_WINDOW_BITS if offer.accept_max_window_bits else 0,
                    window_bits=min(SERVER_WINDOW_BITS, offer.request_max_window_bits or SERVER_WINDOW_BITS),
                    mem_level=MEMORY_LEVEL,
                    max_message_size=max_message_bytes,
                )
        return None

    factory.setProtocolOptions(perMessageCompressionAccept=accept)
