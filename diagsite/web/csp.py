"""What a page of ours may load and do: the browser refuses everything else, injected script above all."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

CSP_HEADER = "Content-Security-Policy"
# For what is no page: opened by itself, it loads nothing.
DENY_ALL_POLICY = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

_policy = "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in settings.SECURE_CSP.items())
_policy_before, _connect_src, _policy_after = _policy.partition("connect-src 'self'")


def add_security_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """The headers that belong to the answer."""
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    response.headers.setdefault(CSP_HEADER, _build_page_policy(request) if is_page else DENY_ALL_POLICY)
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)


def _build_page_policy(request: HttpRequest) -> str:
    """With the page's own WebSocket by name: WebKit before 15.4 does not count it to 'self'."""
    try:
        scheme = "wss" if request.is_secure() else "ws"
        return f"{_policy_before}{_connect_src} {scheme}://{request.get_host()}{_policy_after}"
    except DisallowedHost:
        return _policy
