"""`manage.py send_alerts`: the messages that are due, once, or for as long as the process lives."""

import asyncio
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Count

from monitoring.delivery.outbox import run_alert_sender_loop, send_due_deliveries
from monitoring.models import Delivery

EXAMPLES = """
examples:
  manage.py send_alerts --dry-run   what waits, channel by channel; sends nothing
  manage.py send_alerts             send what is due now
  manage.py send_alerts --keep      go on until stopped, beside or instead of the server's own sender

Every server process sends by itself; this is for looking, and for a sender of its own. Any number at once are safe.
"""


class Command(BaseCommand):
    """Send alerts' messages that are due."""

    help = "Send the messages of alerts that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The three ways."""
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = EXAMPLES
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--dry-run", action="store_true", help="say what waits, and send nothing")
        way.add_argument("--keep", action="store_true", help="go on until stopped")

    def handle(self, *arguments: Any, **options: Any) -> None:
        """One line of what was done."""
        if options["dry_run"]:
            self._print_waiting()
        elif options["keep"]:
            try:
                asyncio.run(run_alert_sender_loop())
            except KeyboardInterrupt:
                self.stdout.write("stopped")
        else:
            self.stdout.write(
                f"tried {send_due_deliveries()} messages, {Delivery.objects.waiting().count()} still wait"
            )

    def _print_waiting(self) -> None:
        waiting = (
            Delivery.objects.waiting().values("channel__name").annotate(count=Count("pk")).order_by("channel__name")
        )
        for row in waiting:
            self.stdout.write(f"{row['channel__name']}: {row['count']} waiting")
        if not waiting:
            self.stdout.write("nothing waits")
