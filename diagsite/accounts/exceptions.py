"""What can go wrong at sign-in."""

from errors.codes import ErrorCode
from errors.exceptions import AppError


class WeChatUnavailable(AppError):
    """WeChat could not be reached: it has not seen the login code."""

    code = ErrorCode.NETWORK_ERROR


class WeChatResponseLost(AppError):
    """WeChat did not answer, or not with something readable. It may have used the login code up."""

    code = ErrorCode.NETWORK_ERROR
    is_safe_to_retry = False


class WeChatMisconfigured(AppError):
    """WeChat refuses our app id or secret: the operators' problem, not the user's."""

    code = ErrorCode.SERVICE_UNAVAILABLE
    is_safe_to_retry = False


class WeChatBusy(AppError):
    """WeChat asks us to slow down, or is busy."""

    code = ErrorCode.SERVICE_UNAVAILABLE


class SignInRejected(AppError):
    """The login code is used up, expired or made up."""

    code = ErrorCode.UNAUTHORIZED
