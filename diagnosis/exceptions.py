"""Exceptions of diagnoses and of calls to platforms."""

from datetime import datetime

from diagnosis.choices import BudgetScope, FailureReason
from diagnosis.replies import Usage
from errors.codes import ErrorCode
from errors.exceptions import AppError, InvalidInput


class DiagnosisRunning(AppError):
    """The operation needs a diagnosis that has ended, but this one is still running."""

    code = ErrorCode.DIAGNOSIS_RUNNING


class QueueFull(AppError):
    """The site has reached its limit of unfinished diagnoses."""

    code = ErrorCode.QUEUE_FULL


class TooManyUnfinished(AppError):
    """The owner has reached the limit of unfinished diagnoses per account."""

    code = ErrorCode.TOO_MANY_UNFINISHED


class BudgetExhausted(AppError):
    """The cost does not fit into a budget. scope: whose; key: the id of its owner."""

    code = ErrorCode.BUDGET_EXHAUSTED

    def __init__(self, scope: BudgetScope, key: str = "", *, fields: dict[str, str] | None = None) -> None:
        super().__init__(fields=fields)
        self.scope = scope
        self.key = key


class PlatformsUnavailable(InvalidInput):
    """None of the requested platforms can be called now. until: the end of the first pause, None if unknown."""

    def __init__(self, *, fields: dict[str, str], until: datetime | None) -> None:
        super().__init__(fields=fields)
        self.until = until


class RowsBusy(AppError):
    """Another request is changing the same rows; nothing was changed, and it can be repeated."""

    code = ErrorCode.RATE_LIMITED


class RunSuperseded(AppError):
    """The diagnosis has ended, or another run has taken it over."""

    code = ErrorCode.CONFLICT


class SuggestionsFailed(AppError):
    """The judge cannot be called now, or its reply contains no suggestions. The call may have been charged."""

    code = ErrorCode.AI_PLATFORM_ERROR
    is_safe_to_retry = False


class CallNoLongerNeeded(Exception):
    """The answer is stored already, or the run is no longer the current one."""


class InvalidLegacyExport(AppError):
    """The file is not a readable export of another system. message: for operators."""

    code = ErrorCode.DATA_FORMAT_ERROR

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def __str__(self) -> str:
        return self.message


class CallFailed(Exception):
    """A call to a platform gave no valid answer.

    wait_seconds: the delay before a retry that the platform requested; detail: for operators and logs, redacted and
    capped, never shown to users; usage: what the call consumed all the same, None if it consumed nothing or it is
    unknown.
    """

    def __init__(
        self,
        reason: FailureReason,
        detail: str = "",
        *,
        wait_seconds: float | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail[:500]
        self.wait_seconds = wait_seconds
        self.usage = usage

    @property
    def is_retryable(self) -> bool:
        """Whether a retry can help."""
        return self.reason in RETRYABLE_REASONS

    @property
    def is_refused_for_rate(self) -> bool:
        """Whether the platform works but wants fewer calls, or none for a time that it named."""
        return self.reason == FailureReason.RATE or (self.is_retryable and self.wait_seconds is not None)

    @property
    def code(self) -> ErrorCode:
        """The error code for users and clients."""
        return ERROR_CODES_BY_REASON[self.reason]


class CallRefused(CallFailed):
    """A call that was not made: its platform must not be called now, or a budget has no room for it."""


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
    FailureReason.CONNECTION: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.CONFIG: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.UNFINISHED: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.BUG: ErrorCode.SERVER_ERROR,
    FailureReason.DEADLINE: ErrorCode.DIAGNOSIS_TIMEOUT,
    FailureReason.CANCELLED: ErrorCode.DIAGNOSIS_CANCELLED,
    FailureReason.OPERATOR: ErrorCode.AI_PLATFORM_ERROR,
    FailureReason.BUDGET: ErrorCode.BUDGET_EXHAUSTED,
}
