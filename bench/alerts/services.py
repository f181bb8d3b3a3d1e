"""The tests' own servers, for a bench that runs whole sites as processes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_services() -> Iterator[None]:
    """A PostgreSQL for `diagsite.tests.site`, started here and thrown away at the end."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    from diagsite.tests import services  # starts it when it is imported

    try:
        yield
    finally:
        for server in services._servers:
            server.leave()
        shutil.rmtree(os.environ["DIAGSITE_TEST_DIRECTORY"], ignore_errors=True)


def add_channel(database: str, kind: str, address: str, key: str = "") -> None:
    """A default channel in a site's database, whose processes have this process's SECRET_KEY."""
    from diagsite.tests.services import execute
    from monitoring.secrets import encrypt_secrets

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
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    execute(database, f"INSERT INTO monitoring_channel ({names}, free_at) VALUES ({places}, now())", *row.values())
