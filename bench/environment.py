"""The tests' own servers, for a bench that runs whole sites as processes."""

import os
import shutil
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running_services() -> Iterator[None]:
    """A PostgreSQL for `testing.site`, started here and thrown away at the end."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    from testing import services  # starts it when it is imported

    try:
        yield
    finally:
        for server in services._started_servers:
            server.release()
        shutil.rmtree(os.environ["DIAGSITE_TEST_DIRECTORY"], ignore_errors=True)


@contextmanager
def running_redis(parser: ArgumentParser) -> Iterator[str]:
    """`running_services` and a Redis of the bench's own; gives its address.

    Ends the command, saying what to install, where there is no redis-server.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        parser.error("redis-server is needed: on Debian and Ubuntu, apt install redis-server")
    with running_services():
        from testing.services import RedisServer

        server = RedisServer(binary)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def create_default_channel(database: str, kind: str, address: str, key: str = "") -> None:
    """A default channel in a site's database, whose processes have this process's SECRET_KEY."""
    from monitoring.delivery.channel_secrets import encrypt_secrets
    from testing.services import execute_sql

    row = {
        "name": kind,
        "kind": kind,
        "is_enabled": True,
        "is_default": True,
        "recipients": "",
        "secrets": encrypt_secrets({"address": address, "key": key}),
        "disabled_reason": "",
        "last_error": "",
        "tried_at": "[]",
    }
    names, placeholders = ", ".join(row), ", ".join(["%s"] * len(row))
    execute_sql(
        database, f"INSERT INTO monitoring_channel ({names}, free_at) VALUES ({placeholders}, now())", *row.values()
    )
