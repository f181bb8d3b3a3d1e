"""The one door to other services: only to the hosts that a list names, and never, unnamed, into the inside network.

A name is checked when a request begins, the address that it leads to when the connection is made, and the connection
goes to that very address: a name that leads elsewhere a moment later gains nothing. Whoever calls another service puts
its client behind `restrict_hosts`.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Client = TypeVar("_Client")
AllowedHosts = Callable[[], Iterable[str]]

MAX_CONNECT_ATTEMPTS = 3  # of a name's addresses: each may take the whole time that a connection has
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class HostNotAllowed(ValueError):
    """The list does not allow it. The text names the host, never the rest of an address, which may hold a secret."""


def restrict_hosts(client: _Client, allowed: AllowedHosts) -> _Client:
    """The client (httpx's or httpx2's, of either kind) behind the door; it raises HostNotAllowed.

    allowed: the list as it is now: host names, addresses, networks such as 10.0.0.0/8. A private address must be in it
    by itself or by its network; the name that leads to it is not enough. Behind a proxy, which looks names up itself,
    only names are checked.
    """
    inner: Any = client
    if hasattr(inner, "aclose"):

        async def check_async(request: Any) -> None:
            check_host_allowed(request.url.host, allowed())

        inner.event_hooks["request"].append(check_async)
        backend_class: Any = _AsyncGuardedBackend
    else:
        inner.event_hooks["request"].append(lambda request: check_host_allowed(request.url.host, allowed()))
        backend_class = _GuardedBackend
    pool = inner._transport._pool
    pool._network_backend = backend_class(pool._network_backend, allowed)
    return client


@cache
def get_ssl_context() -> ssl.SSLContext:
    """Whom this process trusts over TLS, for all its clients: each would take 20 ms to read it for itself."""
    return httpx.create_ssl_context()


def parse_allowed_host(url: str) -> list[str]:
    """The host of an address that the environment gives: a list of its own."""
    return [urlsplit(url).hostname or ""]


def check_host_allowed(host: str, allowed: Iterable[str]) -> None:
    """Raise HostNotAllowed for a host that is not in the list."""
    if host.lower() not in allowed and not _is_allowed(host, allowed):
        raise HostNotAllowed(f"{host[:100]} is not an allowed host")


def resolve_allowed_addresses(host: str, port: int, allowed: Iterable[str]) -> list[str]:
    """The addresses that a host leads to now, looked up and checked. Raises HostNotAllowed, or OSError for none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return _check_addresses(host, [str(one[4][0]) for one in found], allowed)


def _check_addresses(host: str, addresses: list[str], allowed: Iterable[str]) -> list[str]:
    listed = list(allowed)
    for address in addresses:
        if not _is_public(address) and not _is_allowed(address, listed):
            raise HostNotAllowed(f"{host[:100]} leads to {address}, an inside address that is not allowed by itself")
    return list(dict.fromkeys(addresses))[:MAX_CONNECT_ATTEMPTS]


def _is_allowed(address: str, allowed: Iterable[str]) -> bool:
    with contextlib.suppress(ValueError):
        plain = _unwrap_ipv4(ipaddress.ip_address(address))
        return any(plain in network for network in _parse_networks(allowed))
    return False


def _parse_networks(allowed: Iterable[str]) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for one in allowed:
        with contextlib.suppress(ValueError):
            yield ipaddress.ip_network(one, strict=False)


def _is_public(address: str) -> bool:
    plain = _unwrap_ipv4(ipaddress.ip_address(address.partition("%")[0]))
    return plain.is_global and not plain.is_multicast


def _unwrap_ipv4(address: _IPAddress) -> _IPAddress:
    """The IPv4 address that an IPv6 one stands for: by mapping, 6to4, Teredo or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


class _GuardedBackend:
    """A network backend that connects to what was checked."""

    def __init__(self, inner: Any, allowed: AllowedHosts) -> None:
        self._inner = inner
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        """As the backend's own, to the first address that answers."""
        *others, last = self._resolve_addresses(host, port)
        for address in others:
            with contextlib.suppress(Exception):
                return self._inner.connect_tcp(address, port, *args, **kwargs)
        return self._inner.connect_tcp(last, port, *args, **kwargs)

    def _resolve_addresses(self, host: str, port: int) -> list[str]:
        try:
            return resolve_allowed_addresses(host, port, self._allowed())
        except OSError:
            return [host]  # the backend says so in its library's own words


class _AsyncGuardedBackend(_GuardedBackend):
    """The same in an event loop."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        """As the backend's own, to the first address that answers."""
        *others, last = await asyncio.to_thread(self._resolve_addresses, host, port)
        for address in others:
            with contextlib.suppress(Exception):
                return await self._inner.connect_tcp(address, port, *args, **kwargs)
        return await self._inner.connect_tcp(last, port, *args, **kwargs)
