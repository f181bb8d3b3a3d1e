"""Error codes and their specifications. Default texts: `errors/messages/default_texts.py`.

To add one: CONTRIBUTING, "An error code".
"""

from dataclasses import dataclass
from enum import StrEnum

from errors.placeholders import (
    PLANNED_PLACEHOLDER,
    PLATFORM_PLACEHOLDER,
    SECONDS_PLACEHOLDER,
    VALID_PLACEHOLDER,
    Placeholder,
)


class ErrorCode(StrEnum):
    """Stable identifiers sent to clients: never rename one."""

    NETWORK_ERROR = "NETWORK_ERROR"
    NETWORK_TIMEOUT = "NETWORK_TIMEOUT"
    AI_PLATFORM_ERROR = "AI_PLATFORM_ERROR"
    AI_QUOTA_EXHAUSTED = "AI_QUOTA_EXHAUSTED"
    AI_RATE_LIMIT = "AI_RATE_LIMIT"
    DIAGNOSIS_TIMEOUT = "DIAGNOSIS_TIMEOUT"
    DIAGNOSIS_FAILED = "DIAGNOSIS_FAILED"
    DIAGNOSIS_PARTIAL_SUCCESS = "DIAGNOSIS_PARTIAL_SUCCESS"
    DATA_NOT_FOUND = "DATA_NOT_FOUND"
    DATA_FORMAT_ERROR = "DATA_FORMAT_ERROR"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    SERVER_ERROR = "SERVER_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    CONTENT_FILTERED = "CONTENT_FILTERED"
    RATE_LIMITED = "RATE_LIMITED"
    INVALID_INPUT = "INVALID_INPUT"
    CONFLICT = "CONFLICT"
    DIAGNOSIS_CANCELLED = "DIAGNOSIS_CANCELLED"
    DIAGNOSIS_RUNNING = "DIAGNOSIS_RUNNING"
    QUEUE_FULL = "QUEUE_FULL"
    TOO_MANY_UNFINISHED = "TOO_MANY_UNFINISHED"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    CONTENT_REJECTED = "CONTENT_REJECTED"
    CONTENT_CHECK_UNAVAILABLE = "CONTENT_CHECK_UNAVAILABLE"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"


class ErrorSeverity(StrEnum):
    """Severity for the user."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ActionKind(StrEnum):
    """The next step that a client offers."""

    RETRY = "retry"
    SWITCH_PLATFORM = "switch_platform"
    OPEN_HISTORY = "open_history"
    OPEN_REPORT = "open_report"
    SIGN_IN = "sign_in"
    GO_HOME = "go_home"
    DISMISS = "dismiss"


class Display(StrEnum):
    """How a client displays the message."""

    TOAST = "toast"
    MODAL = "modal"
    PAGE = "page"
    INLINE = "inline"


class RetryClass(StrEnum):
    """Whether a failed call may be retried, by whom and when."""

    NEVER = "never"  # a retry would fail the same way
    WITH_BACKOFF = "back_off"  # automatically, with exponential backoff and jitter
    AFTER_DELAY = "later"  # automatically, after the requested wait
    MANUAL = "by_hand"  # by the user; an automatic retry would only repeat a bug of the site


@dataclass(frozen=True)
class RetryPolicy:
    """attempts: including the first. The wait is random between 0 and min(max, base x 2^n) seconds."""

    kind: RetryClass
    attempts: int = 1
    base_seconds: float = 0.5
    max_seconds: float = 20.0


@dataclass(frozen=True)
class ErrorSpec:
    """Specification of a code.

    retry_after_ms: sent to clients when the error itself has no wait; placeholders: allowed in its texts;
    required_placeholders: must occur in its texts; allowed_actions: from which operators select.
    """

    http_status: int
    severity: ErrorSeverity
    retry: RetryPolicy
    display: Display
    action: ActionKind
    retry_after_ms: int | None = None
    placeholders: tuple[Placeholder, ...] = ()
    required_placeholders: frozenset[str] = frozenset()
    allowed_actions: frozenset[ActionKind] = frozenset(ActionKind)

    @property
    def is_retryable(self) -> bool:
        """Whether a retry can succeed, automatic or by the user; sent to clients."""
        return self.retry.kind is not RetryClass.NEVER

    @property
    def placeholders_by_name(self) -> dict[str, Placeholder]:
        return {placeholder.name: placeholder for placeholder in self.placeholders}


_C, _S, _D, _A = ErrorCode, ErrorSeverity, Display, ActionKind

NO_RETRY = RetryPolicy(RetryClass.NEVER)
MANUAL_RETRY = RetryPolicy(RetryClass.MANUAL)
BACKOFF_RETRY = RetryPolicy(RetryClass.WITH_BACKOFF, attempts=3)
DELAYED_RETRY = RetryPolicy(RetryClass.AFTER_DELAY, attempts=3)

_PLATFORM_PLACEHOLDERS = (PLATFORM_PLACEHOLDER,)
_COUNT_PLACEHOLDERS = (VALID_PLACEHOLDER, PLANNED_PLACEHOLDER)
_WAIT_PLACEHOLDERS = (SECONDS_PLACEHOLDER,)
_SIGN_IN_ACTIONS = frozenset({_A.SIGN_IN, _A.GO_HOME, _A.DISMISS})
_ACTIONS_EXCEPT_SIGN_IN = frozenset(ActionKind) - {_A.SIGN_IN}
_PLATFORM_ACTIONS = frozenset({_A.RETRY, _A.SWITCH_PLATFORM, _A.OPEN_HISTORY, _A.OPEN_REPORT, _A.DISMISS})
_DIAGNOSIS_ACTIONS = frozenset({_A.RETRY, _A.SWITCH_PLATFORM, _A.OPEN_HISTORY, _A.OPEN_REPORT, _A.GO_HOME, _A.DISMISS})

ERROR_SPECS: dict[ErrorCode, ErrorSpec] = {
    _C.NETWORK_ERROR: ErrorSpec(
        502,
        _S.WARNING,
        BACKOFF_RETRY,
        _D.TOAST,
        _A.RETRY,
        2000,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.NETWORK_TIMEOUT: ErrorSpec(
        504,
        _S.WARNING,
        BACKOFF_RETRY,
        _D.TOAST,
        _A.RETRY,
        2000,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.AI_PLATFORM_ERROR: ErrorSpec(
        502,
        _S.ERROR,
        BACKOFF_RETRY,
        _D.MODAL,
        _A.SWITCH_PLATFORM,
        None,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_PLATFORM_ACTIONS,
    ),
    _C.AI_QUOTA_EXHAUSTED: ErrorSpec(
        503,
        _S.WARNING,
        NO_RETRY,
        _D.MODAL,
        _A.SWITCH_PLATFORM,
        None,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_PLATFORM_ACTIONS,
    ),
    _C.AI_RATE_LIMIT: ErrorSpec(
        503,
        _S.WARNING,
        DELAYED_RETRY,
        _D.INLINE,
        _A.DISMISS,
        10_000,
        (PLATFORM_PLACEHOLDER, SECONDS_PLACEHOLDER),
        allowed_actions=_PLATFORM_ACTIONS,
    ),
    _C.DIAGNOSIS_TIMEOUT: ErrorSpec(
        504, _S.ERROR, NO_RETRY, _D.PAGE, _A.OPEN_HISTORY, None, _COUNT_PLACEHOLDERS, allowed_actions=_DIAGNOSIS_ACTIONS
    ),
    _C.DIAGNOSIS_FAILED: ErrorSpec(
        502, _S.ERROR, NO_RETRY, _D.PAGE, _A.OPEN_REPORT, None, _COUNT_PLACEHOLDERS, allowed_actions=_DIAGNOSIS_ACTIONS
    ),
    _C.DIAGNOSIS_PARTIAL_SUCCESS: ErrorSpec(
        200,
        _S.WARNING,
        NO_RETRY,
        _D.INLINE,
        _A.OPEN_REPORT,
        None,
        _COUNT_PLACEHOLDERS,
        allowed_actions=_DIAGNOSIS_ACTIONS,
    ),
    _C.DATA_NOT_FOUND: ErrorSpec(404, _S.ERROR, NO_RETRY, _D.PAGE, _A.GO_HOME),
    _C.DATA_FORMAT_ERROR: ErrorSpec(
        400, _S.ERROR, NO_RETRY, _D.TOAST, _A.RETRY, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
    _C.UNAUTHORIZED: ErrorSpec(401, _S.ERROR, NO_RETRY, _D.MODAL, _A.SIGN_IN, allowed_actions=_SIGN_IN_ACTIONS),
    _C.FORBIDDEN: ErrorSpec(403, _S.ERROR, NO_RETRY, _D.MODAL, _A.DISMISS),
    _C.SERVER_ERROR: ErrorSpec(
        500, _S.ERROR, MANUAL_RETRY, _D.MODAL, _A.RETRY, 3000, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
    _C.SERVICE_UNAVAILABLE: ErrorSpec(
        503,
        _S.ERROR,
        BACKOFF_RETRY,
        _D.PAGE,
        _A.RETRY,
        10_000,
        _WAIT_PLACEHOLDERS,
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.UNKNOWN_ERROR: ErrorSpec(
        500, _S.ERROR, MANUAL_RETRY, _D.MODAL, _A.RETRY, 3000, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
    _C.CONTENT_FILTERED: ErrorSpec(
        422,
        _S.WARNING,
        NO_RETRY,
        _D.INLINE,
        _A.DISMISS,
        None,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_PLATFORM_ACTIONS,
    ),
    _C.RATE_LIMITED: ErrorSpec(
        429,
        _S.WARNING,
        DELAYED_RETRY,
        _D.TOAST,
        _A.DISMISS,
        10_000,
        _WAIT_PLACEHOLDERS,
        required_placeholders=frozenset({"seconds"}),
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.INVALID_INPUT: ErrorSpec(
        422, _S.WARNING, NO_RETRY, _D.INLINE, _A.DISMISS, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
    _C.CONFLICT: ErrorSpec(409, _S.WARNING, NO_RETRY, _D.MODAL, _A.DISMISS, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN),
    _C.DIAGNOSIS_CANCELLED: ErrorSpec(
        200, _S.INFO, NO_RETRY, _D.INLINE, _A.OPEN_REPORT, None, _COUNT_PLACEHOLDERS, allowed_actions=_DIAGNOSIS_ACTIONS
    ),
    _C.DIAGNOSIS_RUNNING: ErrorSpec(
        409, _S.INFO, DELAYED_RETRY, _D.INLINE, _A.DISMISS, 3000, allowed_actions=_DIAGNOSIS_ACTIONS
    ),
    _C.QUEUE_FULL: ErrorSpec(
        503,
        _S.WARNING,
        DELAYED_RETRY,
        _D.MODAL,
        _A.RETRY,
        30_000,
        _WAIT_PLACEHOLDERS,
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.TOO_MANY_UNFINISHED: ErrorSpec(
        429,
        _S.WARNING,
        DELAYED_RETRY,
        _D.MODAL,
        _A.OPEN_HISTORY,
        30_000,
        _WAIT_PLACEHOLDERS,
        allowed_actions=_DIAGNOSIS_ACTIONS,
    ),
    _C.BUDGET_EXHAUSTED: ErrorSpec(
        402,
        _S.WARNING,
        NO_RETRY,
        _D.MODAL,
        _A.SWITCH_PLATFORM,
        None,
        _PLATFORM_PLACEHOLDERS,
        allowed_actions=_PLATFORM_ACTIONS,
    ),
    _C.CONTENT_REJECTED: ErrorSpec(
        422, _S.WARNING, NO_RETRY, _D.INLINE, _A.DISMISS, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
    _C.CONTENT_CHECK_UNAVAILABLE: ErrorSpec(
        503,
        _S.WARNING,
        DELAYED_RETRY,
        _D.MODAL,
        _A.RETRY,
        10_000,
        _WAIT_PLACEHOLDERS,
        allowed_actions=_ACTIONS_EXCEPT_SIGN_IN,
    ),
    _C.CONSENT_REQUIRED: ErrorSpec(
        403, _S.INFO, NO_RETRY, _D.INLINE, _A.DISMISS, allowed_actions=_ACTIONS_EXCEPT_SIGN_IN
    ),
}
