"""The one way in which a call to another service is counted: how many, how long, how they ended."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from performance.metrics import outgoing_call_seconds, outgoing_calls

OUTCOME_OK = "ok"


@dataclass
class OutgoingCall:
    """A call that is under way. Who learns from the answer that it is a refusal sets `outcome`: one word of few."""

    outcome: str = OUTCOME_OK


@contextmanager
def measure_call(client: str) -> Iterator[OutgoingCall]:
    """Count and time the call in this block, in an event loop as well as outside of one.

    client: a constant name of who is called, for what. What the block raises passes through; its class is the outcome,
    unless the block has set one.
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
