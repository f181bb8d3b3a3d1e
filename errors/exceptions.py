"""The one exception class that carries a code, and what third-party exceptions mean."""

from typing import Any, ClassVar

from errors.codes import ErrorCode

_codes_by_exception_class: dict[type[BaseException], ErrorCode] = {}


class AppError(Exception):
    """Base of every exception of ours: a code and its parameters, never prose.

    Subclasses set `code`. `params` fill the placeholders of the copy; `fields` names what is wrong with which input
    ({field: why}); `retry_after_ms` tells a client when to come back.
    """

    code: ClassVar[ErrorCode] = ErrorCode.UNKNOWN_ERROR
    # False where a program's repeat could not help or would do the same thing twice, whatever the code allows.
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
    """A value that the user can mend; `fields` says which and how."""

    code = ErrorCode.INVALID_INPUT


class DataFormatError(AppError):
    """A body that cannot be read at all."""

    code = ErrorCode.DATA_FORMAT_ERROR


class NotFound(AppError):
    """No such thing, or not this user's: the two are not told apart."""

    code = ErrorCode.DATA_NOT_FOUND


class Unauthorized(AppError):
    """Not signed in, or the token has expired."""

    code = ErrorCode.UNAUTHORIZED


class Forbidden(AppError):
    """Signed in, but not allowed."""

    code = ErrorCode.FORBIDDEN


class Conflict(AppError):
    """The request contradicts what is stored."""

    code = ErrorCode.CONFLICT


def register_exception(exception_class: type[BaseException], code: ErrorCode) -> None:
    """Say what a third-party exception means. Registering a class again with another code is a ValueError."""
    if _codes_by_exception_class.setdefault(exception_class, code) is not code:
        raise ValueError(f"{exception_class.__name__} already means {_codes_by_exception_class[exception_class]}")


def get_error_code(error: BaseException) -> ErrorCode:
    """The code that an exception carries, is registered to, or inherits; UNKNOWN_ERROR when nothing is known."""
    if isinstance(error, AppError):
        return error.code
    for ancestor in type(error).__mro__:
        if ancestor in _codes_by_exception_class:
            return _codes_by_exception_class[ancestor]
    return ErrorCode.UNKNOWN_ERROR
