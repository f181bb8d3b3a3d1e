"""Metrics of calls to other services: count, duration and outcome by client."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from performance.metrics import outgoing_call_seconds, outgoing_calls

OUTCOME_OK = "ok"


@dataclass
class OutgoingCall:
    """A call in progress. The caller sets `outcome`, one of few values, if the response reports an error."""

    outcome: str = OUTCOME_OK


@contextmanager
def measure_call(client: str) -> Iterator[OutgoingCall]:
    """Count and time the call made in this block; for synchronous and asynchronous code.

    client: a constant name for the service and purpose. An exception passes through; its class is the outcome unless
    the block has set one.
    """
    call = OutgoingCall()
    started = time.perf_counter()
    try:
        yield call
    except BaseException as error:
        if call.outcome == OUTCOME_OK:
            call.outcome = type(error).__name__
        raise
    finally:
        outgoing_calls.labels(client=client, outcome=call.outcome).inc()
        outgoing_call_seconds.labels(client=client).observe(time.perf_counter() - started)
