import asyncio
from argparse import ArgumentParser
from typing import Any

from django.db.models import Count

from monitoring.delivery.outbox import run_alert_sender_loop, send_due_deliveries
from monitoring.management.base import ExamplesCommand
from monitoring.models import Delivery


class Command(ExamplesCommand):
    help = "Send the alert messages that are due, once or continuously. Without --apply or --keep it sends nothing."
    examples = """
examples:
  manage.py send_alerts           print the number of waiting messages by channel; sends nothing
  manage.py send_alerts --apply   send what is due now
  manage.py send_alerts --keep    send until stopped, beside or instead of the server's own sender

Every server process sends by itself; this command is for inspection and for a separate sender. Any number of senders
may run at once.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the modes."""
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--apply", action="store_true", help="send what is due")
        mode.add_argument("--keep", action="store_true", help="send until stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, or print what is waiting."""
        waiting = Delivery.objects.waiting()
        if options["apply"]:
            self.stdout.write(f"tried {send_due_deliveries()} messages, {waiting.count()} still wait")
            return
        if options["keep"]:
            try:
                asyncio.run(run_alert_sender_loop())
            except KeyboardInterrupt:
                self.stdout.write("stopped")
            return
        counts = list(waiting.values("channel__name").annotate(count=Count("pk")).order_by("channel__name"))
        for row in counts:
            self.stdout.write(f"{row['channel__name']}: {row['count']} waiting")
        self.stdout.write("nothing was sent; --apply sends what is due" if counts else "nothing waits")
