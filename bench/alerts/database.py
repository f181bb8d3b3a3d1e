"""A temporary PostgreSQL for the benches, with the site's tables."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from diagsite.server.embedded_postgres import EmbeddedPostgres

BENCH_POSTGRES_SETTINGS = "fsync = off\nfull_page_writes = off\nmax_connections = 200\nshared_buffers = 256MB\n"


@cache
def start_bench_database() -> str:
    """Start the server, configure Django for it and create the tables, once per process; return its URL.

    Must be called before models are imported.
    """
    directory = Path(tempfile.mkdtemp(prefix="diagsite-bench-"))
    server = EmbeddedPostgres(directory / "postgres", settings=BENCH_POSTGRES_SETTINGS)
    server.start()
    atexit.register(_remove, server, directory)
    os.environ |= {
        "DATABASE_URL": server.get_uri(),
        "ENVIRONMENT": "development",
        "DJANGO_SETTINGS_MODULE": "diagsite.settings",
        "ERRORS_REFRESH_SECONDS": "0",
        "SAMPLES_FLUSH_SECONDS": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "CRITICAL"),
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return server.get_uri()


def _remove(server: EmbeddedPostgres, directory: Path) -> None:
    server.release()
    shutil.rmtree(directory, ignore_errors=True)
