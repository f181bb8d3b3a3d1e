"""What can go wrong with a stream."""

from errors.codes import ErrorCode
from errors.exceptions import AppError


class StreamClosed(AppError):
    """Something was appended after the stream had ended."""

    code = ErrorCode.SERVER_ERROR
