import contextlib
import os
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from diagsite.accounts.users import get_or_create_terminal_user
from diagsite.server.db_checks import migrate_and_seed, require_database, require_migrations_applied
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy


class Command(SiteCommand):
    """Run HTTP, WebSocket and the worker in one process."""

    help = gettext_lazy("""\
提供 HTTP 与 WebSocket 服务，并内置后台任务进程。
生产环境请分别运行 `manage.py serve --concurrency 0` 和 `manage.py procrastinate worker`。""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add address, port and concurrency."""
        parser.add_argument("--host", default="127.0.0.1", help=_("监听的地址（默认 127.0.0.1）"))
        parser.add_argument(
            "--port", type=int, default=settings.PORT, help=_("端口（默认 %(port)d）") % {"port": settings.PORT}
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=settings.DIAGNOSES_AT_ONCE,
            metavar="N",
            help=_("本进程同时进行的诊断数，0 表示不运行后台任务（默认 %(count)d）")
            % {"count": settings.DIAGNOSES_AT_ONCE},
        )
        parser.add_argument("--migrate", action="store_true", help=_("先迁移数据库并写入初始数据"))
        parser.add_argument("--sample", action="store_true", help=_("网站就绪后运行一个示例诊断"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Check port and database, then serve until SIGINT or SIGTERM."""
        host, port = options["host"], options["port"]
        _require_free_port(host, port)
        require_database()
        if options["migrate"]:
            migrate_and_seed()
        require_migrations_applied()
        # The demo platform is served by this process.
        if not settings.PRODUCTION and "DEMO_BASE_URL" not in os.environ:
            settings.DEMO_BASE_URL = f"http://127.0.0.1:{port}/demo/v1"
        # Imported after the checks, because they load daphne and the whole API.
        from diagsite.cli.sample import SampleDiagnosis
        from diagsite.server.site_server import ListenError, SiteServer

        sample = SampleDiagnosis(get_or_create_terminal_user().device_id or "") if options["sample"] else None
        try:
            SiteServer(host, port, concurrency=options["concurrency"], sample=sample).run()
        except ListenError as error:
            raise CommandError(str(error)) from error


def _require_free_port(host: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise CommandError(_("%(port)d 不是端口：应为 1 到 65535") % {"port": port})
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            text = _(
                "无法监听 %(host)s:%(port)d（%(reason)s）。网站已在运行吗？"
                "换一个端口：make run PORT=9000，或 manage.py serve --port 9000"
            )
            raise CommandError(text % {"host": host, "port": port, "reason": error.strerror}) from error
