"""Headers of every response: the content security policy, and that nothing may store the API's data."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

CSP_HEADER = "Content-Security-Policy"
# For responses that are not pages.
DENY_ALL_POLICY = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

_policy = "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in settings.SECURE_CSP.items())
_policy_before, _connect_src, _policy_after = _policy.partition("connect-src 'self'")


def add_security_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set Content-Security-Policy and Permissions-Policy."""
    policy = DENY_ALL_POLICY
    if response.headers.get("Content-Type", "").startswith("text/html"):
        # WebKit before 15.4 does not include the URL of the WebSocket in 'self'.
        scheme = "wss" if request.is_secure() else "ws"
        try:
            policy = f"{_policy_before}{_connect_src} {scheme}://{request.get_host()}{_policy_after}"
        except DisallowedHost:
            policy = _policy
    response.headers.setdefault(CSP_HEADER, policy)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)


def add_cache_header(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep browsers and proxies from storing what the API returns, unless its view has decided otherwise."""
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "private, no-store")
