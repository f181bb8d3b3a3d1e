from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from errors.recording import prune_errors


class Command(BaseCommand):
    """Keeps the record of errors small."""

    help = "Delete error events that are older than ERRORS_KEPT_DAYS. Their counts are kept ten times as long."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much to keep."""
        parser.add_argument(
            "--days",
            type=int,
            default=settings.ERRORS_KEPT_DAYS,
            help=f"days to keep (default {settings.ERRORS_KEPT_DAYS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and say how many events are gone."""
        pruned = prune_errors(older_than=timedelta(days=options["days"]))
        self.stdout.write(f"{pruned} error events deleted")
