"""The IP address of a client, also behind proxies."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def get_client_ip(request: HttpRequest) -> str:
    """Return the IP address of the client: behind TRUSTED_PROXIES proxies, what the outermost of them has seen."""
    return _find_client_ip(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def get_address_key(client_ip: str) -> str:
    """Return the IPv4 address, or the /64 network of an IPv6 address: one client has a whole network."""
    try:
        is_ipv6 = ipaddress.ip_address(client_ip).version == 6
    except ValueError:  # a Unix socket has no address
        return client_ip
    return str(ipaddress.ip_network(f"{client_ip}/64", strict=False)) if is_ipv6 else client_ip


def get_socket_address_key(scope: Mapping[str, Any]) -> str:
    """Return the key of the client of a WebSocket, from its ASGI scope."""
    client = scope.get("client") or [""]
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return get_address_key(_find_client_ip(client[0], forwarded.decode("latin-1")))


def _find_client_ip(remote_address: str, forwarded_for: str) -> str:
    """Return the entry of X-Forwarded-For that the outermost trusted proxy has added.

    Entries further left come from the client and mean nothing. Without a valid entry at that place the request has
    taken another way; then the address of the connection counts.
    """
    entries = forwarded_for.split(",")
    if not settings.SECURE_PROXY_SSL_HEADER or len(entries) < settings.TRUSTED_PROXIES:
        return remote_address
    try:
        return str(ipaddress.ip_address(entries[-settings.TRUSTED_PROXIES].strip()))
    except ValueError:
        return remote_address
