"""A writer process: events at a steady rate, each in its own transaction, as a worker appends them.

    python -m bench.push.writer RATE SECONDS < streams

An event contains the time just before its transaction began, so its latency includes the commit. Prints the number of
events written and the seconds taken.
"""

import asyncio
import sys
import time
import uuid
from itertools import count, cycle

import django
from asgiref.sync import sync_to_async

django.setup()

from django.db import transaction  # noqa: E402

from bench.push.feeds import PADDING  # noqa: E402
from progress.services import append_events  # noqa: E402

MAX_CONCURRENT_WRITES = 8


@sync_to_async(thread_sensitive=False)
def append_event(stream: uuid.UUID, n: int) -> None:
    """Append one event in a transaction."""
    data = {"n": n, "t": time.time_ns() // 1000, "pad": PADDING}
    with transaction.atomic():
        append_events(stream, [("progress", data)])


async def main(rate: float, seconds: float, streams: list[uuid.UUID]) -> None:
    """Write to the streams in turn, and print the summary."""
    slots = asyncio.Semaphore(MAX_CONCURRENT_WRITES)
    # One at a time per stream: the client would count an event that overtakes another as a gap.
    locks = {stream: asyncio.Lock() for stream in streams}
    seen = dict.fromkeys(streams, 0)
    started = time.monotonic()

    async def write_next(stream: uuid.UUID) -> None:
        try:
            async with locks[stream]:
                seen[stream] += 1
                await append_event(stream, seen[stream])
        finally:
            slots.release()

    async with asyncio.TaskGroup() as group:
        for number, stream in zip(count(), cycle(streams), strict=False):
            if number >= rate * seconds:
                break
            await asyncio.sleep(max(0, started + number / rate - time.monotonic()))
            await slots.acquire()
            group.create_task(write_next(stream))
    sys.stdout.write(f"{sum(seen.values())} {time.monotonic() - started}")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2]), [uuid.UUID(line.strip()) for line in sys.stdin]))
