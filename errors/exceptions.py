"""Base class of exceptions with an error code, general exceptions, and the codes of third-party exceptions."""

from typing import Any, ClassVar

from errors.codes import ErrorCode

_codes_by_exception_class: dict[type[BaseException], ErrorCode] = {}


class AppError(Exception):
    """Base class of the project's exceptions: a code with parameters, no text.

    Subclasses set `code`. `params` fill the placeholders of the message; `fields` are errors of input fields
    ({field: error}); `retry_after_ms` is the time after which a client may retry.
    """

    code: ClassVar[ErrorCode] = ErrorCode.UNKNOWN_ERROR
    # False if an automatic retry cannot succeed or would repeat a side effect, even if the code allows retries.
    is_safe_to_retry: ClassVar[bool] = True

    def __init__(
        self,
        *,
        fields: dict[str, str] | None = None,
        retry_after_ms: int | None = None,
        **params: Any,
    ) -> None:
        super().__init__(self.code.value, params)
        self.params = params
        self.fields = fields
        self.retry_after_ms = retry_after_ms


class InvalidInput(AppError):
    """Input that the user can correct; see `fields`."""

    code = ErrorCode.INVALID_INPUT


class DataFormatError(AppError):
    """A body that cannot be parsed."""

    code = ErrorCode.DATA_FORMAT_ERROR


class NotFound(AppError):
    """The object does not exist or belongs to another user; the response is the same for both."""

    code = ErrorCode.DATA_NOT_FOUND


class Unauthorized(AppError):
    """Not signed in, or the token has expired."""

    code = ErrorCode.UNAUTHORIZED


class Forbidden(AppError):
    """Signed in, but without permission."""

    code = ErrorCode.FORBIDDEN


class Conflict(AppError):
    """The request conflicts with stored data."""

    code = ErrorCode.CONFLICT


def register_exception(exception_class: type[BaseException], code: ErrorCode) -> None:
    """Map a third-party exception to a code. Raises ValueError if it is mapped to another code already."""
    if _codes_by_exception_class.setdefault(exception_class, code) is not code:
        raise ValueError(
            f"{exception_class.__name__} is already mapped to {_codes_by_exception_class[exception_class]}"
        )


def get_error_code(error: BaseException) -> ErrorCode:
    """Return the code of an exception: its own, or that registered for its class or a base class."""
    if isinstance(error, AppError):
        return error.code
    for ancestor in type(error).__mro__:
        if ancestor in _codes_by_exception_class:
            return _codes_by_exception_class[ancestor]
    return ErrorCode.UNKNOWN_ERROR
