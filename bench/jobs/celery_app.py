"""What celery does with a job that only says when it began: `celery -A bench.jobs.celery_app worker`."""

import os
import time

import redis
from celery import Celery

from bench.jobs.starting import STARTED

REDIS_URL = os.environ["REDIS_URL"]
app = Celery("bench", broker=REDIS_URL)
_redis = redis.Redis.from_url(REDIS_URL)


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]
def begin(accepted_at: float) -> None:
    """Note how long it took from acceptance to here."""
    _redis.rpush(STARTED, time.time() - accepted_at)
