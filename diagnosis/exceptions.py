"""What can go wrong with a diagnosis, and with a call to a platform."""

from diagnosis.choices import FailureReason
from errors.codes import ErrorCode
from errors.exceptions import AppError


class DiagnosisRunning(AppError):
    """The report is asked for before the end, or something final of what still runs."""

    code = ErrorCode.DIAGNOSIS_RUNNING


class QueueFull(AppError):
    """As many diagnoses are unfinished as the site takes."""

    code = ErrorCode.QUEUE_FULL


class TooManyUnfinished(AppError):
    """As many diagnoses are unfinished as one account may have."""

    code = ErrorCode.TOO_MANY_UNFINISHED


class RunSuperseded(AppError):
    """The diagnosis ended, or another worker took it over, while this run was at work."""

    code = ErrorCode.CONFLICT


class CallNoLongerNeeded(Exception):
    """A call's turn has come, and its answer is there already, or the run is not the current one any more."""


class InvalidLegacyExport(AppError):
    """A file that another system should have exported is none, or lacks what is needed; `why` is for operators."""

    code = ErrorCode.DATA_FORMAT_ERROR

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def __str__(self) -> str:
        return self.message


class CallFailed(Exception):
    """A call to a platform gave no valid answer.

    reason: why; is_retryable: whether asking again can help; wait_seconds: not before, when the platform said so;
    detail: for operators and logs, redacted and capped, never shown to users.
    """

    def __init__(self, reason: FailureReason, detail: str = "", *, wait_seconds: float | None = None) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail[:500]
        self.wait_seconds = wait_seconds

    @property
    def is_retryable(self) -> bool:
        """Whether asking again can help."""
        return self.reason in RETRYABLE_REASONS

    @property
    def code(self) -> ErrorCode:
        """The error code that users and clients see."""
        return ERROR_CODES_BY_REASON[self.reason]


RETRYABLE_REASONS = {
    FailureReason.RATE,
    FailureReason.BUSY,
    FailureReason.UNREADABLE,
    FailureReason.TIMEOUT,
    FailureReason.CONNECTION,
}

ERROR_CODES_BY_REASON = {
    FailureReason.QUOTA: ErrorCode.AI_QUOTA_EXHAUSTED,
    FailureReason.RATE: ErrorCode.AI_RATE_LIMIT,
    FailureReason.FILTERED: ErrorCode.CONTENT_FILTERED,
    FailureReason.KEY: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.MODEL: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.BUSY: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.UNREADABLE: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.TIMEOUT: ErrorCode.NETWORK_TIMEOUT,
    FailureReason.CONNECTION: ErrorCode.NETWORK_ERROR,
    FailureReason.BUG: ErrorCode.SERVER_ERROR,
    FailureReason.DEADLINE: ErrorCode.DIAGNOSIS_TIMEOUT,
    FailureReason.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
    FailureReason.OPERATOR: ErrorCode.AI_PLATFORM_ERROR,
}
