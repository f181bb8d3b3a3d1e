"""Zipf traffic over reports, with writes between, on the cache that the API has: a process over a site's database.

    python -m bench.cache.replay REPORTS OPERATIONS SEED

Makes the reports first. Prints {"hit_rate", "lookups", "operations", "seconds"} as JSON.
"""

import asyncio
import json
import random
import sys
import time
import uuid
from itertools import accumulate

import django
from asgiref.sync import sync_to_async

django.setup()

from diagnosis import cached  # noqa: E402
from diagnosis.tests.rows import end, make_diagnosis, make_platform, make_user, valid  # noqa: E402
from performance.cache import touch  # noqa: E402

ZIPF = 1.1
WRITES = 0.05


def make_reports(count: int) -> list[uuid.UUID]:
    """Ended diagnoses of one answer."""
    owner, platform = make_user(f"reader-{uuid.uuid4().hex[:8]}"), make_platform(f"p-{uuid.uuid4().hex[:8]}")
    return [end(make_diagnosis(owner, [platform]), valid()).pk for _ in range(count)]


async def replay(reports: list[uuid.UUID], operations: int, chance: random.Random) -> None:
    """Read one, or change one: which, by its rank."""
    weights = list(accumulate((rank + 1) ** -ZIPF for rank in range(len(reports))))
    for report in chance.choices(reports, cum_weights=weights, k=operations):
        if chance.random() < WRITES:
            await sync_to_async(touch)(cached.report_version(report))
        else:
            await cached.areport_of(report, "zh-hans")


def main(count: int, operations: int, seed: int) -> None:
    """Make, replay, tell."""
    reports = make_reports(count)
    lookups = cached._reports.lookups
    lookups.clear()
    started = time.monotonic()
    asyncio.run(replay(reports, operations, random.Random(seed)))
    told = {
        "hit_rate": cached._reports.hit_rate,
        "lookups": dict(lookups),
        "operations": operations,
        "seconds": time.monotonic() - started,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
