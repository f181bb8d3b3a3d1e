"""What a page of ours may load and do: the browser refuses everything else, injected script above all."""

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"
# For what is no page: opened by itself, it loads nothing.
NOTHING = "default-src 'none'; frame-ancestors 'none'"
FEATURES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

_policy = "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in settings.SECURE_CSP.items())
_before, _connect, _after = _policy.partition("connect-src 'self'")


def add_policies(request: HttpRequest, response: HttpResponseBase) -> None:
    """The headers that belong to the answer."""
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    response.headers.setdefault(HEADER, _policy_at(request) if is_page else NOTHING)
    response.headers.setdefault("Permissions-Policy", FEATURES)


def _policy_at(request: HttpRequest) -> str:
    """With the page's own WebSocket by name: WebKit before 15.4 does not count it to 'self'."""
    try:
        scheme = "wss" if request.is_secure() else "ws"
        return f"{_before}{_connect} {scheme}://{request.get_host()}{_after}"
    except DisallowedHost:
        return _policy
