"""Failures of a sign-in."""

from errors.codes import ErrorCode
from errors.exceptions import AppError


class WeChatUnavailable(AppError):
    """WeChat could not be reached, so the login code is still unused."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class WeChatResponseLost(AppError):
    """WeChat's answer did not arrive or is invalid; the login code may be used up."""

    code = ErrorCode.SERVICE_UNAVAILABLE
    is_safe_to_retry = False


class WeChatMisconfigured(AppError):
    """WeChat rejects the site's app id or secret."""

    code = ErrorCode.SERVICE_UNAVAILABLE
    is_safe_to_retry = False


class WeChatBusy(AppError):
    """WeChat is busy or limits the rate."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class SignInRejected(AppError):
    """The login code is used up, expired or forged."""

    code = ErrorCode.UNAUTHORIZED
