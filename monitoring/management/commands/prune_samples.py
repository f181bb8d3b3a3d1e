from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from monitoring.samples.retention import count_prunable, prune_samples

EXAMPLES = """examples:
  manage.py prune_samples                   say what would be deleted
  manage.py prune_samples --apply           delete it
  manage.py prune_samples --days 2 --apply  keep two days only
"""


class Command(BaseCommand):
    """Keeps the samples of the processes small. A periodic job does the same once a day."""

    help = "Delete samples that are older than SAMPLES_KEPT_DAYS. Without --apply, only say how many they are."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much to keep, and whether to do it."""
        parser.add_argument(
            "--days",
            type=float,
            default=settings.SAMPLES_KEPT_DAYS,
            help=f"days to keep (default {settings.SAMPLES_KEPT_DAYS})",
        )
        parser.add_argument("--apply", action="store_true", help="delete; without it nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, or say what would be gone."""
        if options["days"] < 1:  # counters that stand still are stored every hour only
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
