from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from monitoring.management.base import ExamplesCommand
from monitoring.samples.retention import count_prunable, prune_samples


class Command(ExamplesCommand):
    help = (
        "Delete samples older than SAMPLES_KEPT_DAYS, as a periodic job does daily. Without --apply, only count them."
    )
    examples = """examples:
  manage.py prune_samples                   count what would be deleted
  manage.py prune_samples --apply           delete it
  manage.py prune_samples --days 2 --apply  keep two days only
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the age and the switch to delete."""
        parser.add_argument(
            "--days",
            type=float,
            default=settings.SAMPLES_KEPT_DAYS,
            help=f"days to keep (default {settings.SAMPLES_KEPT_DAYS})",
        )
        parser.add_argument("--apply", action="store_true", help="delete; without it nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete or count."""
        if options["days"] < 1:  # unchanged counters are stored only once per hour
            raise CommandError("--days must be at least 1")
        older_than = timedelta(days=options["days"])
        if options["apply"]:
            result = prune_samples(older_than=older_than)
            self.stdout.write(f"{result.samples} samples and {result.processes} processes deleted")
        else:
            result = count_prunable(older_than=older_than)
            self.stdout.write(
                f"{result.samples} samples and {result.processes} processes would be deleted (--apply does)"
            )
