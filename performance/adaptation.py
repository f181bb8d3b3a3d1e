"""How a caller adapts to a service that refuses calls because there are too many: it pauses, halves, then grows slowly.

Additive increase, multiplicative decrease, as in TCP. Pure functions; `call_limits.py` stores the result.
"""

from dataclasses import dataclass, replace

MIN_CALLS_PER_SECOND = 0.02
RATE_GROWTH = 1.02  # per successful call
BASE_COOL_DOWN_SECONDS = 0.5
MAX_COOL_DOWN_SECONDS = 120.0


@dataclass(frozen=True)
class Adaptation:
    """How far below its limits a service is called. Times are those of the clock of one store, in seconds.

    until: no call begins before; decreased_at: calls that began earlier say nothing about the present limits;
    refusals: decreases since the last success.
    """

    concurrency: float
    calls_per_second: float
    until: float
    decreased_at: float
    refusals: int


def adapt_to_refusal(
    current: Adaptation | None,
    *,
    max_concurrent: int,
    recent_calls: int,
    started_at: float,
    now: float,
    wait_seconds: float | None,
) -> Adaptation:
    """Return the adaptation after a refused call. Calls refused together halve the limits once.

    recent_calls: begun within the last second; wait_seconds: the wait that the service named.
    """
    if current and started_at <= current.decreased_at:
        return replace(current, until=max(current.until, now + (wait_seconds or 0.0)))
    refusals = current.refusals + 1 if current else 1
    backoff = BASE_COOL_DOWN_SECONDS * 2 ** min(refusals - 1, 10)
    cool_down = min(max(wait_seconds or 0.0, backoff), MAX_COOL_DOWN_SECONDS)
    concurrency = min(current.concurrency, max_concurrent) if current else max_concurrent
    rate = min(current.calls_per_second, recent_calls) if current else recent_calls
    return Adaptation(
        concurrency=max(1.0, concurrency / 2),
        calls_per_second=max(MIN_CALLS_PER_SECOND, rate / 2),
        until=max(current.until if current else 0.0, now + cool_down),
        decreased_at=now,
        refusals=refusals,
    )


def adapt_to_success(
    current: Adaptation, *, max_concurrent: int, max_per_minute: int, started_at: float
) -> Adaptation | None:
    """Return the adaptation after a success: one more call at once for each round of them; None at the limits."""
    if started_at <= current.decreased_at:
        return current
    grown = replace(
        current,
        concurrency=current.concurrency + 1 / current.concurrency,
        calls_per_second=current.calls_per_second * RATE_GROWTH,
        refusals=0,
    )
    is_at_limits = grown.concurrency >= max_concurrent and 60 * grown.calls_per_second >= max_per_minute
    return None if is_at_limits else grown
