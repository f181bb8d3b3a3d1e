from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagsite.operations.backups import BackupFailed, compute_checksums, restore_backup
from monitoring.samples.collector import stop_sampling

EXAMPLES = """\
example:
  createdb diagsite_restored
  DATABASE_URL=postgresql://.../diagsite_restored manage.py restore /var/backups/diagsite/diagsite-20260101T021500.dump

Only an empty database is restored into, all or nothing. Then every table is compared with what was dumped. Stop the
site first when the restored database is to take over; afterwards run `manage.py migrate` for a newer version.
"""


class Command(BaseCommand):
    """The way back."""

    help = "Restore a backup into an empty database and prove that every table is as it was."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which."""
        parser.add_argument("dump", type=Path, help="the file that `manage.py backup` printed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Says how much is back; exit code 1 when a table differs."""
        stop_sampling()  # nothing of this process's own may come into the tables before they are compared
        try:
            differing_tables = restore_backup(options["dump"])
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
        if differing_tables:
            raise CommandError(f"restored, but these tables differ from the backup: {', '.join(differing_tables)}")
        restored = compute_checksums()
        rows = sum(int(count) for count, _sum in restored.values())
        self.stdout.write(f"restored and proven: {len(restored)} tables, {rows} rows, each as it was")
