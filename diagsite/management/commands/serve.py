import contextlib
import os
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagsite.accounts.users import get_or_create_terminal_user
from diagsite.server.db_checks import migrate_and_seed, require_database, require_migrations_applied


class Command(BaseCommand):
    """Run HTTP, WebSocket and the worker in one process."""

    help = (
        "Serve HTTP and WebSocket, with a built-in worker. "
        "In production run `manage.py serve --concurrency 0` and `manage.py procrastinate worker`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add address, port and concurrency."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help=f"port (default {settings.PORT})")
        parser.add_argument(
            "--concurrency",
            type=int,
            default=settings.DIAGNOSES_AT_ONCE,
            metavar="N",
            help=f"concurrent diagnoses in this process, 0 for no worker (default {settings.DIAGNOSES_AT_ONCE})",
        )
        parser.add_argument("--migrate", action="store_true", help="migrate and seed the database first")
        parser.add_argument("--sample", action="store_true", help="run a sample diagnosis when the site is ready")

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
        raise CommandError(f"{port} is not a port: 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"cannot listen on {host}:{port} ({error.strerror}). Is the site running already? "
                "Another port: make run PORT=9000, or manage.py serve --port 9000"
            ) from error
