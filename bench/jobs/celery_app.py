"""The celery application of the benchmark: `celery -A bench.jobs.celery_app worker`."""

import os
import time

import redis
from celery import Celery

from bench.jobs.start_delay import START_DELAYS_KEY

REDIS_URL = os.environ["REDIS_URL"]
app = Celery("bench", broker=REDIS_URL)
_redis_client = redis.Redis.from_url(REDIS_URL)


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]
def begin(accepted_at: float) -> None:
    """Store the delay from acceptance to start."""
    _redis_client.rpush(START_DELAYS_KEY, time.time() - accepted_at)
