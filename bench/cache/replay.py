"""Zipf-distributed reads of reports, with writes in between, through the API's cache; over a site's database.

    python -m bench.cache.replay REPORTS OPERATIONS SEED

Creates the reports first. Prints {"hit_rate", "lookups", "operations", "seconds"} as JSON.
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

from diagnosis.reports import cache  # noqa: E402
from performance.cache import invalidate_tags  # noqa: E402
from testing.data.diagnoses import make_diagnosis, make_platform, make_user, make_valid_result, run_and_end  # noqa: E402

ZIPF_EXPONENT = 1.1
WRITE_SHARE = 0.05


def create_reports(count: int) -> list[uuid.UUID]:
    """Create ended diagnoses of one answer, and return their ids."""
    owner, platform = make_user(f"reader-{uuid.uuid4().hex[:8]}"), make_platform(f"p-{uuid.uuid4().hex[:8]}")
    return [run_and_end(make_diagnosis(owner, [platform]), make_valid_result()).pk for _ in range(count)]


async def replay_traffic(reports: list[uuid.UUID], operations: int, rng: random.Random) -> None:
    """Read or invalidate reports, chosen with a probability by rank."""
    weights = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(len(reports))))
    for report in rng.choices(reports, cum_weights=weights, k=operations):
        if rng.random() < WRITE_SHARE:
            await sync_to_async(invalidate_tags)(cache.get_report_cache_tag(report))
        else:
            await cache.aget_cached_report(report, "zh-hans")


def main(count: int, operations: int, seed: int) -> None:
    """Create reports, replay traffic, print the summary."""
    reports = create_reports(count)
    lookups = cache._report_cache.lookups
    lookups.clear()
    began = time.monotonic()
    asyncio.run(replay_traffic(reports, operations, random.Random(seed)))
    summary = {
        "hit_rate": cache._report_cache.hit_rate,
        "lookups": dict(lookups),
        "operations": operations,
        "seconds": time.monotonic() - began,
    }
    sys.stdout.write(json.dumps(summary))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
