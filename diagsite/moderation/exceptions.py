"""Refusals of texts that users type."""

from errors.codes import ErrorCode
from errors.exceptions import AppError


class ContentRejected(AppError):
    """Texts did not pass the content check; see `fields`."""

    code = ErrorCode.CONTENT_REJECTED


class ContentCheckUnavailable(AppError):
    """The content check gave no verdict in time. Nothing was stored."""

    code = ErrorCode.CONTENT_CHECK_UNAVAILABLE
