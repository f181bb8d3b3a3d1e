"""The HTTP transport of all protocols: bounded in time and size, restricted to allowed hosts, without redirects.

A protocol (`protocols/`) builds a PlatformRequest and reads a PlatformResponse; only this module uses the network.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from diagnosis.choices import FailureReason
from performance.client_metrics import measure_call
from performance.ssrf_guard import check_host_allowed, get_ssl_context, resolve_allowed_addresses

CONNECT_TIMEOUT_SECONDS = 10.0  # detects an unreachable host before the whole call times out
MAX_PLATFORM_RESPONSE_BYTES = 4 * 1024 * 1024  # after decompression


@dataclass(frozen=True)
class PlatformRequest:
    """A request to a platform. Its headers hold the key."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class PlatformResponse:
    """A whole response of any status. headers: names in lower case; body: decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportError(Exception):
    """No response was received. reason: what the failure means to the caller."""

    reason: ClassVar[FailureReason]


class InvalidRequest(TransportError):
    """The URL or a header is invalid, or the host not allowed; nothing was sent."""

    reason = FailureReason.CONFIG


class RequestTimedOut(TransportError):
    """The connection, or the whole call, took too long."""

    reason = FailureReason.TIMEOUT


class ConnectionBroken(TransportError):
    """The connection was refused, or ended before the whole response."""

    reason = FailureReason.CONNECTION


class InvalidResponse(TransportError):
    """The response is not HTTP, or larger than MAX_PLATFORM_RESPONSE_BYTES."""

    reason = FailureReason.UNREADABLE


async def send(request: PlatformRequest, *, timeout_seconds: float) -> PlatformResponse:
    """Return the response of any status. Raises only TransportError and CancelledError.

    timeout_seconds: limits the whole call, however slowly the response arrives.
    """
    try:
        with measure_call("platform"):
            async with asyncio.timeout(timeout_seconds):
                return await _exchange(request)
    except aiohttp.ServerTimeoutError as error:
        raise RequestTimedOut(f"no connection in {CONNECT_TIMEOUT_SECONDS:g} s: {error!r}") from error
    except TimeoutError as error:
        raise RequestTimedOut(f"no answer in {timeout_seconds:g} s") from error
    except (ValueError, aiohttp.NonHttpUrlClientError) as error:  # also HostNotAllowed and aiohttp.InvalidURL
        raise InvalidRequest(str(error)) from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        raise ConnectionBroken(repr(error)) from error
    except aiohttp.ClientError as error:
        raise InvalidResponse(repr(error)) from error


async def _exchange(request: PlatformRequest) -> PlatformResponse:
    url = URL(request.url)
    check_host_allowed(url.host or "", settings.OUTGOING_HOSTS)  # a literal address is not resolved
    session = await _get_session()
    async with session.request(
        request.method, url, headers=request.headers, data=request.body, allow_redirects=False
    ) as response:
        body = bytearray()
        while chunk := await response.content.readany():  # decompresses little more than it returns
            body += chunk
            if len(body) > MAX_PLATFORM_RESPONSE_BYTES:
                raise InvalidResponse(f"a response of more than {MAX_PLATFORM_RESPONSE_BYTES} bytes")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return PlatformResponse(response.status, headers, bytes(body))


class _GuardedResolver(AbstractResolver):
    """Resolves a name to addresses that the SSRF guard allows; aiohttp connects to no others."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await asyncio.to_thread(resolve_allowed_addresses, host, port, settings.OUTGOING_HOSTS)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class _LoopSession:
    """The session of one event loop. lifetime: its generator, closed by the loop itself when it shuts down."""

    session: aiohttp.ClientSession
    lifetime: AsyncGenerator[aiohttp.ClientSession, None]


_sessions_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopSession] = WeakKeyDictionary()


async def _get_session() -> aiohttp.ClientSession:
    """Return the session of this event loop, which shares connections between calls."""
    loop = asyncio.get_running_loop()
    if loop not in _sessions_by_loop:
        lifetime = _open_session()
        _sessions_by_loop[loop] = _LoopSession(await anext(lifetime), lifetime)
    return _sessions_by_loop[loop].session


async def _open_session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Yield a session until the event loop ends: `loop.shutdown_asyncgens` closes this generator."""
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(
        limit=0,  # the limits of each platform bound the calls
        resolver=_GuardedResolver(),
        ssl=get_ssl_context(),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),  # a call knows nothing of earlier ones
        headers={"Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_SECONDS),
        trust_env=False,  # a proxy would resolve names itself, past the SSRF guard
    )
    try:
        async with session:
            yield session
    finally:
        _sessions_by_loop.pop(loop, None)
