"""The refusal of a request without consent."""

from errors.codes import ErrorCode
from errors.exceptions import AppError


class ConsentRequired(AppError):
    """The account has not accepted the current user agreement and privacy policy."""

    code = ErrorCode.CONSENT_REQUIRED
