"""Error codes of exceptions of Django, the standard library, `performance`, and the clients of other services.

NETWORK_ERROR asks users to check their own network, so the site never answers it: what the site itself cannot reach is
SERVICE_UNAVAILABLE.
"""

import socket
import ssl

import aiohttp
import httpx
import psycopg
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from procrastinate.exceptions import ConnectorException
from redis.exceptions import RedisError

from errors.codes import ErrorCode
from errors.exceptions import register_exception
from performance.exceptions import ConcurrencyLimitExceeded, RateLimitExceeded

_CODES: dict[ErrorCode, tuple[type[BaseException], ...]] = {
    ErrorCode.DATA_NOT_FOUND: (Http404,),
    ErrorCode.FORBIDDEN: (PermissionDenied,),
    ErrorCode.DATA_FORMAT_ERROR: (BadRequest, SuspiciousOperation),
    ErrorCode.NETWORK_TIMEOUT: (TimeoutError, aiohttp.ServerTimeoutError, httpx.TimeoutException),
    ErrorCode.SERVICE_UNAVAILABLE: (
        *(OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError),
        *(ConnectorException, RedisError, ConnectionError, socket.gaierror, socket.herror, ssl.SSLError),
        *(aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, httpx.TransportError),
        ConcurrencyLimitExceeded,
    ),
    ErrorCode.RATE_LIMITED: (RateLimitExceeded,),
    ErrorCode.SERVER_ERROR: (Exception,),
}


def register_third_party_exceptions() -> None:
    for code, exceptions in _CODES.items():
        for exception in exceptions:
            register_exception(exception, code)
