"""A process of the site, as tests start it: manage.py in a copy of an interpreter that has the libraries already.

A site's start is two seconds of loading libraries. The tests start a hundred; so one process for each test worker loads
them once, and is copied (multiprocessing's forkserver). Nothing of the site is loaded before the copy.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
import threading
from multiprocessing.context import ForkServerContext

FREEZE_MODULE = "testing.forkserver_preload"  # the last one
# Else third-party alone, and none that reads Django's settings or starts an event loop when it is imported.
PRELOADED_MODULES = [
    "openai",
    "numpy",
    "apprise",
    "httpx",
    "redis.asyncio",
    "limits.aio.storage",
    "psycopg_pool",
    "procrastinate",
    "pydantic",
    "prometheus_client",
    "cryptography.fernet",
    "structlog",
    "tenacity",
    "rich.progress",
    "environs",
    "websockets",
    "opencc",
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
    "ahocorasick",
    "orjson",
    "tomllib",
    "xlsxwriter",
    "numpy.typing",
    "procrastinate.worker",
    "statistics",
    FREEZE_MODULE,
]


def get_forkserver_context() -> ForkServerContext:
    """Where such processes come from; the first one starts what is copied."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED_MODULES)
    return found


def exec_manage_py(
    arguments: list[str], environment: dict[str, str], root: str, stdout_path: str, stderr_path: str
) -> None:
    """Be `python manage.py ARGUMENTS`, in this directory, with this environment, what is printed in these two files."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(root)
    for number, file in ((1, stdout_path), (2, stderr_path)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.path.insert(0, root)
    for name in [name for name in sys.modules if name.split(".")[0] == "testing"]:
        del sys.modules[name]  # this file's package: the root may be another copy of the project
    sys.argv = ["manage.py", *arguments]
    try:
        runpy.run_path("manage.py", run_name="__main__")
    finally:
        # As at the end of any interpreter; multiprocessing skips both.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
