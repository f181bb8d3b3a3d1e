"""The cost of a limiter for a call that it does not delay."""

import statistics
import time
from collections.abc import Awaitable, Callable

from performance.concurrency import ConcurrencyController
from performance.rate import RateLimiter

LIMIT_COST_ROUNDS = 5
UNREACHED_LIMIT = 10**9


async def do_nothing() -> None:
    """The call."""


async def measure_seconds_per_call(redis_url: str, calls: int) -> dict[str, float]:
    """Return by limiter the median seconds that it adds to a call; the limiters take turns."""
    controllers = [ConcurrencyController(10), ConcurrencyController(10, name="cost", redis_url=redis_url)]
    limiters = [RateLimiter(UNREACHED_LIMIT, 60), RateLimiter(UNREACHED_LIMIT, 60, key="cost", redis_url=redis_url)]
    named: dict[str, Callable[[], Awaitable[None]]] = {
        "a ConcurrencyController in memory": lambda: controllers[0].execute(do_nothing()),
        "a ConcurrencyController in Redis": lambda: controllers[1].execute(do_nothing()),
        "a RateLimiter in memory": lambda: limiters[0].execute(do_nothing()),
        "a RateLimiter in Redis": lambda: limiters[1].execute(do_nothing()),
    }
    baseline, seconds_by_name = list[float](), {name: list[float]() for name in named}
    for _ in range(LIMIT_COST_ROUNDS):
        baseline.append(await _get_seconds_per_call(do_nothing, calls))
        for name, call in named.items():
            seconds_by_name[name].append(await _get_seconds_per_call(call, calls))
    return {name: statistics.median(seconds) - statistics.median(baseline) for name, seconds in seconds_by_name.items()}


async def _get_seconds_per_call(call: Callable[[], Awaitable[None]], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.perf_counter() - started) / calls
