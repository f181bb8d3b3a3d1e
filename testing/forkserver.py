"""manage.py in a copy of an interpreter that has already imported the libraries.

Importing them takes two seconds, and the tests start a hundred sites. So one process per test worker imports them once
and is forked for each site (multiprocessing's forkserver). It imports nothing of the site itself.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
import threading
from multiprocessing.context import ForkServerContext

# Third-party modules only, none of which reads Django's settings or starts an event loop on import.
PRELOADED_MODULES = [
    "aiohttp",
    "numpy",
    "apprise",
    "httpx",
    "redis.asyncio",
    "limits.aio.storage",
    "psycopg_pool",
    "procrastinate",
    "pydantic",
    "pydantic.fields",
    "pydantic.json_schema",
    "pydantic.networks",
    "pydantic.type_adapter",
    "pydantic.types",
    "prometheus_client",
    "cryptography.fernet",
    "structlog",
    "tenacity",
    "rich.progress",
    "environs",
    "websockets",
    "opencc",
    "rjieba",
    "markdown_it",
    "django.core.management",
    "django.db.models",
    "django.template.response",
    "django.test.signals",
    "django.views.generic",
    "twisted.internet.asyncioreactor",
    "twisted.protocols.policies",
    "twisted.web.http",
    "autobahn.twisted.websocket",
    "dns.asyncresolver",
    "asgiref.server",
    "channels.generic.websocket",
    "channels.sessions",
    "daphne.http_protocol",
    "daphne.ws_protocol",
    "django.contrib.auth.apps",
    "django.contrib.postgres.fields",
    "django.contrib.staticfiles.apps",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django_prometheus.db.backends.postgresql.base",
    "django_stubs_ext",
    "health_check.contrib.psutil",
    "procrastinate.contrib.django",
    "whitenoise.middleware",
    "whitenoise.storage",
    "ahocorasick_rs",
    "orjson",
    "tomllib",
    "xlsxwriter",
    "numpy.typing",
    "procrastinate.worker",
    "statistics",
    "testing.forkserver_preload",  # last
]


FIRST_PARTY_PACKAGES = {
    *("testing", "tests", "bench", "diagsite", "diagnosis", "monitoring", "progress", "errors", "performance")
}


def get_forkserver_context() -> ForkServerContext:
    """Return the context whose processes are forks of the fork server; the first process starts the server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED_MODULES)
    return context


def exec_manage_py(
    arguments: list[str], environment: dict[str, str], root: str, stdout_path: str, stderr_path: str
) -> None:
    """Behave like `python manage.py ARGUMENTS`, in this directory and environment, with output to these two files."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(root)
    for number, file in ((1, stdout_path), (2, stderr_path)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.path.insert(0, root)
    sys.dont_write_bytecode = False  # or each process would compile the project
    for name in [name for name in sys.modules if name.split(".")[0] in FIRST_PARTY_PACKAGES]:
        del sys.modules[name]  # the root may be another copy of the project
    sys.argv = ["manage.py", *arguments]
    try:
        runpy.run_path("manage.py", run_name="__main__")
    finally:
        # What an interpreter does at its exit; multiprocessing skips both.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
