"""SSRF guard for calls to other services: only allowed hosts, and never an internal address that is not allowed itself.

The name is checked when a request starts, its addresses when the connection is made. The connection uses the checked
address, so changing the DNS record in between has no effect. Every httpx client is wrapped by `restrict_hosts`; the
aiohttp resolver of `diagnosis/platforms/transport.py` uses `resolve_allowed_addresses`.
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

MAX_CONNECT_ATTEMPTS = 3  # addresses per name; each may take the whole connect timeout
# Addresses that embed an IPv4 address, which is what is reached: IPv4-mapped and NAT64.
_IPV4_PREFIXES = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
# The registries of special-purpose addresses, https://www.iana.org/assignments/iana-ipv4-special-registry and
# iana-ipv6-special-registry: everything that is not globally reachable, multicast, and anycast to relays. Python's
# `is_global` differs between its versions. Of IPv6 only 2000::/3 is assigned to hosts.
_NOT_GLOBAL_IPV4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_NOT_GLOBAL_IPV6 = tuple(
    map(ipaddress.IPv6Network, ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"])
)


class HostNotAllowed(ValueError):
    """The host is not allowed. The text contains the host but not the rest of the URL, which may hold a secret."""


def restrict_hosts(client: _Client, allowed: AllowedHosts) -> _Client:
    """Restrict an httpx client, synchronous or asynchronous, to allowed hosts; it raises HostNotAllowed.

    allowed: returns the current list of host names, addresses and networks such as 10.0.0.0/8. A private address must
    be allowed by itself or by its network; allowing a name that resolves to it is not enough. Behind a proxy, which
    resolves names itself, only names are checked.
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
    """Return the TLS context shared by all clients of the process; creating one takes 20 ms."""
    return httpx.create_ssl_context()


def parse_allowed_host(url: str) -> list[str]:
    """Return the host of a configured URL as a list of allowed hosts."""
    return [urlsplit(url).hostname or ""]


def check_host_allowed(host: str, allowed: Iterable[str]) -> None:
    """Raise HostNotAllowed unless the list contains the host, or a network that contains it."""
    if host.lower() not in allowed and not _is_address_allowed(host, allowed):
        raise HostNotAllowed(f"{host[:100]} is not an allowed host")


def resolve_allowed_addresses(host: str, port: int, allowed: Iterable[str]) -> list[str]:
    """Resolve a host and check its addresses. Raises HostNotAllowed, or OSError if it does not resolve."""
    address_infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in address_infos]
    allowed_hosts = list(allowed)
    for address in addresses:
        if not _is_global(address.partition("%")[0]) and not _is_address_allowed(address, allowed_hosts):
            raise HostNotAllowed(f"{host[:100]} resolves to {address}, an internal address that is not allowed itself")
    return list(dict.fromkeys(addresses))[:MAX_CONNECT_ATTEMPTS]


def _is_address_allowed(address: str, allowed: Iterable[str]) -> bool:
    try:
        ip_address = _unwrap_ipv4(ipaddress.ip_address(address))
    except ValueError:
        return False
    for host in allowed:
        with contextlib.suppress(ValueError):  # a host name
            if ip_address in ipaddress.ip_network(host, strict=False):
                return True
    return False


def _is_global(address: str) -> bool:
    """Return whether the address is globally reachable."""
    ip_address = _unwrap_ipv4(ipaddress.ip_address(address))
    if isinstance(ip_address, ipaddress.IPv4Address):
        return not any(ip_address in network for network in _NOT_GLOBAL_IPV4)
    return ip_address in _GLOBAL_IPV6 and not any(ip_address in network for network in _NOT_GLOBAL_IPV6)


def _unwrap_ipv4(address: _IPAddress) -> _IPAddress:
    """Return the IPv4 address that an IPv6 address embeds, else the address."""
    if any(address in network for network in _IPV4_PREFIXES):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class _GuardedBackend:
    """A network backend of httpcore that connects only to checked addresses."""

    def __init__(self, inner: Any, allowed: AllowedHosts) -> None:
        self._inner = inner
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        """Connect to the first address that accepts."""
        *others, last = self._resolve_addresses(host, port)
        for address in others:
            with contextlib.suppress(Exception):
                return self._inner.connect_tcp(address, port, *args, **kwargs)
        return self._inner.connect_tcp(last, port, *args, **kwargs)

    def _resolve_addresses(self, host: str, port: int) -> list[str]:
        try:
            return resolve_allowed_addresses(host, port, self._allowed())
        except OSError:
            return [host]  # the inner backend raises the library's own exception


class _AsyncGuardedBackend(_GuardedBackend):
    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        """Connect to the first address that accepts."""
        *others, last = await asyncio.to_thread(self._resolve_addresses, host, port)
        for address in others:
            with contextlib.suppress(Exception):
                return await self._inner.connect_tcp(address, port, *args, **kwargs)
        return await self._inner.connect_tcp(last, port, *args, **kwargs)
