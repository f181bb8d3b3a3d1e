"""The lockout after failed sign-ins with a password, by django-axes, with problem responses of the site."""

import ipaddress
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from diagsite.web.client_ip import get_client_ip
from diagsite.web.error_pages import build_error_response
from performance.exceptions import RateLimitExceeded


def get_sign_in_ip(request: HttpRequest) -> str | None:
    """Return the IP address of a sign-in; None if it is not valid."""
    try:
        return str(ipaddress.ip_address(get_client_ip(request)))
    except ValueError:
        return None


def build_lockout_response(
    request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return 429 with the seconds until the lockout ends."""
    attempts = AccessAttempt.objects.filter(
        username=(credentials or {}).get("username", ""), ip_address=get_sign_in_ip(request)
    )
    latest = attempts.order_by("-attempt_time").first()
    failed_at = latest.attempt_time if latest else timezone.now()
    until = failed_at + timedelta(seconds=settings.SIGN_IN_PAUSE_SECONDS)
    seconds = max(1.0, (until - timezone.now()).total_seconds())
    return build_error_response(request, RateLimitExceeded("too many failed sign-ins", seconds), place="sign_in")
