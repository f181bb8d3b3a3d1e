"""What benches run on: services, settings of a site under load, a database with tables in this process."""

import atexit
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import django
from django.core.management import call_command

from testing.services import MissingServiceError, RedisServer, running_services, start_services, stop_services
from testing.site import UNLIMITED_SETTINGS

# No limits, and the job intervals of production.
BENCH_SITE_SETTINGS = {
    **UNLIMITED_SETTINGS,
    "MAX_UNFINISHED_DIAGNOSES": "0",
    "MAX_UNFINISHED_PER_OWNER": "0",
    "JOB_HEARTBEAT_SECONDS": "2",
    "JOB_STALLED_SECONDS": "10",
    "JOB_SWEEP_SECONDS": "5",
    "LOG_LEVEL": "ERROR",
}


@contextmanager
def running_services_with_redis(parser: ArgumentParser) -> Iterator[str]:
    """Run the block with the services and a Redis, whose URL it gets.

    Ends the command with a hint if redis-server is not installed.
    """
    with running_services():
        try:
            redis = RedisServer()
        except MissingServiceError:
            parser.error("redis-server is needed: on Debian and Ubuntu, apt install redis-server")
        redis.start()
        try:
            yield redis.url
        finally:
            redis.stop()


@cache
def start_bench_database() -> str:
    """Start PostgreSQL, set Django up on it and migrate; return the database URL.

    To be called before models are imported. Everything is stopped when the process exits.
    """
    os.environ |= {"ERRORS_REFRESH_SECONDS": "0", "SAMPLES_FLUSH_SECONDS": "0"}
    os.environ |= {name: UNLIMITED_SETTINGS[name] for name in ("MAX_RUNNING_PER_OWNER", "PLATFORM_SHARE_PER_OWNER")}
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")
    start_services()
    atexit.register(stop_services)
    django.setup()
    call_command("migrate", verbosity=0)
    return os.environ["DATABASE_URL"]
