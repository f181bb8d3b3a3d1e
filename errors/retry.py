"""Retries of calls to other services: exponential backoff with jitter, a maximum of attempts, and a retry budget.

The retry policy of each code is in `errors/codes.py`.
"""

import random
import threading
import time

from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.stop import stop_base

from errors.codes import ERROR_SPECS, ErrorCode, RetryClass, RetryPolicy
from errors.exceptions import AppError
from errors.recording import record_error

AUTO_RETRY_CLASSES = {RetryClass.WITH_BACKOFF, RetryClass.AFTER_DELAY}


def get_backoff_seconds(retry: RetryPolicy, attempts: int, min_seconds: float = 0.0) -> float:
    """Return `min_seconds`, the wait requested by the service, plus full jitter. attempts: made so far, at least 1."""
    doublings = min(attempts - 1, 30)  # beyond any cap
    max_jitter_seconds = min(retry.max_seconds, retry.base_seconds * 2**doublings)
    return min_seconds + random.uniform(0, max_jitter_seconds)


class RetryBudget:
    """Limit of the retries of one service: a share of its calls, plus `burst` per minute. Thread-safe.

    If every call fails, three attempts each would triple the load; with the budget it grows by a tenth.
    """

    def __init__(self, *, share: float = 0.1, burst: float = 10.0) -> None:
        self._share, self._burst = share, burst
        self._tokens = burst
        self._refilled_at = time.monotonic()
        self._lock = threading.Lock()

    def record_call(self) -> None:
        """Record a first attempt, which adds `share` of a retry to the budget."""
        with self._lock:
            self._refill()
            self._tokens = min(self._burst, self._tokens + self._share)

    def try_acquire(self) -> bool:
        """Take one retry from the budget; False if it is used up."""
        with self._lock:
            self._refill()
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def _refill(self) -> None:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) * self._burst / 60)
        self._refilled_at = now


class _StopByPolicy(stop_base):
    """Stop when the attempts of the code or the retry budget are used up."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, state: RetryCallState) -> bool:
        code = _get_code(state)
        if state.attempt_number >= ERROR_SPECS[code].retry.attempts or not self._budget.try_acquire():
            return True
        record_error(code, error=_get_exception(state), outcome="retried", context={"attempts": state.attempt_number})
        return False


def build_retrying(budget: RetryBudget) -> Retrying:
    """Build a tenacity loop for a call that raises AppErrors: `build_retrying(budget)(call, argument)`.

    Other exceptions, and errors that are not retried automatically, pass through at once.
    """
    return Retrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, AppError) and error.is_safe_to_retry and is_auto_retryable(error.code)
        ),
        stop=_StopByPolicy(budget),
        wait=_get_wait_seconds,
        before=lambda state: budget.record_call() if state.attempt_number == 1 else None,
        reraise=True,
    )


def is_auto_retryable(code: ErrorCode) -> bool:
    """Whether an error of the code may be retried automatically."""
    return ERROR_SPECS[code].retry.kind in AUTO_RETRY_CLASSES


def _get_wait_seconds(state: RetryCallState) -> float:
    error = _get_exception(state)
    requested_ms = error.retry_after_ms if isinstance(error, AppError) else None
    return get_backoff_seconds(ERROR_SPECS[_get_code(state)].retry, state.attempt_number, (requested_ms or 0) / 1000)


def _get_exception(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _get_code(state: RetryCallState) -> ErrorCode:
    error = _get_exception(state)
    return error.code if isinstance(error, AppError) else ErrorCode.UNKNOWN_ERROR
