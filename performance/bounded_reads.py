"""Read a response of another service within a limit of bytes and time, without decompressing it."""

import time
from collections.abc import Mapping

import httpx

# A compressed response may be a thousand times larger than what arrives, so none is asked for and none is decoded.
UNCOMPRESSED_HEADERS: Mapping[str, str] = {"Accept-Encoding": "identity"}


class ResponseTooLarge(httpx.DecodingError):
    """The response is larger than the caller allows, or compressed."""


def read_bounded(response: httpx.Response, max_bytes: int, timeout_seconds: float) -> bytes:
    """Return the body of a streamed response.

    Raises ResponseTooLarge, also for a compressed one, and httpx.ReadTimeout when it takes longer in all.
    """
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise ResponseTooLarge("a compressed response")
    deadline = time.monotonic() + timeout_seconds
    body = bytearray()
    for chunk in response.iter_raw():  # as it arrives: a chunk of a size would be waited for
        body += chunk
        if len(body) > max_bytes:
            raise ResponseTooLarge(f"a response of more than {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout(f"no whole response in {timeout_seconds:g} s")
    return bytes(body)
