"""Sign-in with a password, slowed down: django-axes counts failures, and says no in our words."""

import ipaddress
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from diagsite.server.client_ip import get_client_ip
from diagsite.web.error_pages import build_error_response
from performance.exceptions import RateLimitExceeded


def get_sign_in_ip(request: HttpRequest) -> str | None:
    """Where it comes from, as the database takes it; None for what is no address."""
    try:
        return str(ipaddress.ip_address(get_client_ip(request)))
    except ValueError:
        return None


def build_lockout_response(
    request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """429, with the seconds until an attempt is looked at again."""
    username = (credentials or {}).get("username", "")
    seconds = _get_lockout_seconds_left(username, get_sign_in_ip(request))
    return build_error_response(request, RateLimitExceeded("too many failed sign-ins", seconds), place="sign_in")


def _get_lockout_seconds_left(username: str, address: str | None) -> float:
    newest = AccessAttempt.objects.filter(username=username, ip_address=address).order_by("-attempt_time").first()
    failed_at = newest.attempt_time if newest else timezone.now()
    until = failed_at + timedelta(seconds=settings.SIGN_IN_PAUSE_SECONDS)
    return max(1.0, (until - timezone.now()).total_seconds())
