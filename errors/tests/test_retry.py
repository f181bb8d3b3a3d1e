"""Retries: backoff, attempts and the retry budget."""

import threading
import time
from collections.abc import Iterator

import pytest

from errors.codes import ERROR_SPECS, ErrorCode, RetryClass
from errors.exceptions import AppError, Forbidden
from errors.recording import error_recorder
from errors.retry import RetryBudget, build_retrying, get_backoff_seconds, is_auto_retryable


class Busy(AppError):
    """A retryable error of another service."""

    code = ErrorCode.SERVICE_UNAVAILABLE


@pytest.fixture(autouse=True)
def empty_recorder() -> Iterator[None]:
    yield
    error_recorder.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock as a list with one number that tests change; sleeping is disabled."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    return now


def test_backoff_is_random_limited_and_added_to_the_requested_wait() -> None:
    retry = ERROR_SPECS[ErrorCode.NETWORK_ERROR].retry
    for attempts, most in ((1, 0.5), (2, 1.0), (3, 2.0), (7, 20.0), (5000, 20.0)):
        seen = [get_backoff_seconds(retry, attempts, 3) for _ in range(500)]
        assert 3 <= min(seen) < 3 + 0.2 * most
        assert 3 + 0.8 * most < max(seen) <= 3 + most


def test_every_code_has_a_consistent_retry_policy() -> None:
    for code in ErrorCode:
        retry = ERROR_SPECS[code].retry
        assert is_auto_retryable(code) == (retry.attempts > 1)
        assert ERROR_SPECS[code].is_retryable == (retry.kind is not RetryClass.NEVER)


def calls_in_an_outage(
    budget: RetryBudget, clock: list[float], *, failing: float, calls: int = 1000
) -> tuple[int, int]:
    """Return (attempts, successful calls) of calls over ten minutes with at most three attempts each."""
    made = answered = 0
    for number in range(calls):
        clock[0] += 600 / calls
        budget.record_call()
        for attempt in range(3):
            made += 1
            if (number * 7919 + attempt * 104729) % 1000 >= failing * 1000:
                answered += 1
                break
            if attempt == 2 or not budget.try_acquire():
                break
    return made, answered


def test_the_budget_limits_retries_in_an_outage(clock: list[float]) -> None:
    """3,000 attempts without a budget; 1,100 and ten a minute with it."""
    made, _ = calls_in_an_outage(RetryBudget(), clock, failing=1.0)
    assert made <= 1000 + 100 + 110


def test_occasional_failures_are_retried(clock: list[float]) -> None:
    _, answered = calls_in_an_outage(RetryBudget(), clock, failing=0.1)
    assert answered >= 995


def test_a_budget_recovers_with_time(clock: list[float]) -> None:
    budget = RetryBudget(burst=3)
    assert [budget.try_acquire() for _ in range(4)] == [True, True, True, False]
    clock[0] += 60
    assert [budget.try_acquire() for _ in range(4)] == [True, True, True, False]


def test_a_budget_is_exact_under_threads(clock: list[float]) -> None:
    budget = RetryBudget(burst=100)
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.extend(budget.try_acquire() for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 100


def failing(errors: list[AppError]) -> tuple[list[float], object]:
    times: list[float] = []

    def call() -> str:
        times.append(time.monotonic())
        if errors:
            raise errors.pop(0)
        return "answer"

    return times, call


def test_a_retry_returns_the_result(clock: list[float]) -> None:
    times, call = failing([Busy(), Busy(retry_after_ms=5000)])
    assert build_retrying(RetryBudget())(call) == "answer"  # type: ignore[arg-type]
    assert len(times) == 3
    assert times[2] - times[1] >= 5


def test_the_last_error_is_raised_after_the_last_attempt(clock: list[float]) -> None:
    times, call = failing([Busy(), Busy(), Busy(), Busy()])
    with pytest.raises(Busy):
        build_retrying(RetryBudget())(call)  # type: ignore[arg-type]
    assert len(times) == ERROR_SPECS[Busy.code].retry.attempts


def test_unsafe_calls_are_not_retried(clock: list[float]) -> None:
    times, call = failing([Forbidden()])
    with pytest.raises(Forbidden):
        build_retrying(RetryBudget())(call)  # type: ignore[arg-type]
    assert len(times) == 1


def test_the_first_error_is_raised_without_budget(clock: list[float]) -> None:
    times, call = failing([Busy(), Busy()])
    with pytest.raises(Busy):
        build_retrying(RetryBudget(share=0, burst=0))(call)  # type: ignore[arg-type]
    assert len(times) == 1
