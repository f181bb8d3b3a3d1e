"""The IP address of a client, also behind proxies."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def get_client_ip(request: HttpRequest) -> str:
    """Return the IP address of the client: behind TRUSTED_PROXIES proxies, what the outermost of them has seen.

    Entries of X-Forwarded-For further left come from the client and mean nothing. Without a valid entry at that place
    the request has taken another way; then the address of the connection counts.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    entries = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    if not settings.SECURE_PROXY_SSL_HEADER or len(entries) < settings.TRUSTED_PROXIES:
        return address
    try:
        return str(ipaddress.ip_address(entries[-settings.TRUSTED_PROXIES].strip()))
    except ValueError:
        return address
