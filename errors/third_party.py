"""Error codes of exceptions of Django, the standard library and `performance`."""

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404

from errors.codes import ErrorCode
from errors.exceptions import register_exception
from performance.exceptions import ConcurrencyLimitExceeded, RateLimitExceeded


def register_third_party_exceptions() -> None:
    register_exception(Http404, ErrorCode.DATA_NOT_FOUND)
    register_exception(PermissionDenied, ErrorCode.FORBIDDEN)
    register_exception(RequestDataTooBig, ErrorCode.DATA_FORMAT_ERROR)
    register_exception(OperationalError, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(InterfaceError, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(TimeoutError, ErrorCode.NETWORK_TIMEOUT)
    register_exception(ConnectionError, ErrorCode.NETWORK_ERROR)
    register_exception(ConcurrencyLimitExceeded, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(RateLimitExceeded, ErrorCode.RATE_LIMITED)
    register_exception(Exception, ErrorCode.SERVER_ERROR)
