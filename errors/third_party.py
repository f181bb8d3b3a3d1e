"""What exceptions of Django, the standard library and the ground floor mean to a user."""

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404

from errors.codes import ErrorCode
from errors.exceptions import register_exception
from performance.exceptions import TooBusy, TooFast


def register_all() -> None:
    """Called once, when the app is ready."""
    register_exception(Http404, ErrorCode.DATA_NOT_FOUND)
    register_exception(PermissionDenied, ErrorCode.FORBIDDEN)
    register_exception(RequestDataTooBig, ErrorCode.DATA_FORMAT_ERROR)
    register_exception(OperationalError, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(InterfaceError, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(TimeoutError, ErrorCode.NETWORK_TIMEOUT)
    register_exception(ConnectionError, ErrorCode.NETWORK_ERROR)
    register_exception(TooBusy, ErrorCode.SERVICE_UNAVAILABLE)
    register_exception(TooFast, ErrorCode.RATE_LIMITED)
    register_exception(Exception, ErrorCode.SERVER_ERROR)
