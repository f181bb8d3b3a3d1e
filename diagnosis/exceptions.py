"""What can go wrong with a diagnosis, and with a call to a platform."""

from diagnosis.choices import Reason
from errors.codes import ErrorCode
from errors.exceptions import AppError


class DiagnosisRunning(AppError):
    """The report is asked for before the end, or something final of what still runs."""

    code = ErrorCode.DIAGNOSIS_RUNNING


class SiteIsFull(AppError):
    """As many diagnoses are unfinished as the site takes."""

    code = ErrorCode.QUEUE_FULL


class OwnerHasTooMany(AppError):
    """As many diagnoses are unfinished as one account may have."""

    code = ErrorCode.TOO_MANY_UNFINISHED


class RunOver(AppError):
    """The diagnosis ended, or another worker took it over, while this run was at work."""

    code = ErrorCode.CONFLICT


class NotWanted(Exception):
    """A call's turn has come, and its answer is there already, or the run is not the current one any more."""


class UnreadableExport(AppError):
    """A file that another system should have exported is none, or lacks what is needed; `why` is for operators."""

    code = ErrorCode.DATA_FORMAT_ERROR

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    def __str__(self) -> str:
        return self.why


class CallFailed(Exception):
    """A call to a platform gave no valid answer.

    reason: why; is_retryable: whether asking again can help; wait_seconds: not before, when the platform said so;
    detail: for operators and logs, redacted and capped, never shown to users.
    """

    def __init__(self, reason: Reason, detail: str = "", *, wait_seconds: float | None = None) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail[:500]
        self.wait_seconds = wait_seconds

    @property
    def is_retryable(self) -> bool:
        """Whether asking again can help."""
        return self.reason in RETRYABLE

    @property
    def code(self) -> ErrorCode:
        """The error code that users and clients see."""
        return CODES[self.reason]


RETRYABLE = {Reason.RATE, Reason.BUSY, Reason.UNREADABLE, Reason.TIMEOUT, Reason.CONNECTION}

CODES = {
    Reason.QUOTA: ErrorCode.AI_QUOTA_EXHAUSTED,
    Reason.RATE: ErrorCode.AI_RATE_LIMIT,
    Reason.FILTERED: ErrorCode.CONTENT_FILTERED,
    Reason.KEY: ErrorCode.AI_PLATFORM_ERROR,
    Reason.MODEL: ErrorCode.AI_PLATFORM_ERROR,
    Reason.BUSY: ErrorCode.AI_PLATFORM_ERROR,
    Reason.UNREADABLE: ErrorCode.AI_PLATFORM_ERROR,
    Reason.TIMEOUT: ErrorCode.NETWORK_TIMEOUT,
    Reason.CONNECTION: ErrorCode.NETWORK_ERROR,
    Reason.BUG: ErrorCode.SERVER_ERROR,
    Reason.DEADLINE: ErrorCode.DIAGNOSIS_TIMEOUT,
    Reason.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
    Reason.OPERATOR: ErrorCode.AI_PLATFORM_ERROR,
}
