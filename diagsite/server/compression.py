"""Compression of socket frames for clients that offer it; events repeat keys and ids."""

from collections.abc import Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

# zlib's defaults use 256 KiB per socket, these 24 KiB; a window of 4 KiB is enough for the repetitions.
SERVER_WINDOW_BITS = 12
MEMORY_LEVEL = 4
CLIENT_WINDOW_BITS = 10  # clients send small frames


def enable_frame_compression(factory: Any, max_message_bytes: int) -> None:
    """Accept offers of compression in daphne's WebSocket factory; the limit applies to decompressed messages."""

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
