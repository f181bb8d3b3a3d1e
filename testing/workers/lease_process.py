"""One of several processes that contend for slots.

    python -m testing.workers.lease_process REDIS_URL SLOTS TASKS MAX_TASK_SECONDS

Prints when each task began and ended, by the monotonic clock of the machine.
"""

import asyncio
import random
import sys
import time

from performance.concurrency import ConcurrencyController


async def main(redis_url: str, slots: int, tasks: int, max_task_seconds: float) -> None:
    """Run the tasks, 20 ms or more each, all at once."""
    controller = ConcurrencyController(slots, name="contended", redis_url=redis_url)

    async def work() -> None:
        print("begin", time.monotonic(), flush=True)
        await asyncio.sleep(random.uniform(0.02, max_task_seconds))
        print("end", time.monotonic(), flush=True)

    await asyncio.gather(*(controller.execute(work(), "work") for _ in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
