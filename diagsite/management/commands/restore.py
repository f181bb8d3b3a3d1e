from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from diagsite.operations.backups import BackupFailed, compute_checksums, restore_backup
from monitoring.management.base import ExamplesCommand
from monitoring.samples.collector import stop_sampling

EXAMPLES = """\
example:
  createdb diagsite_restored
  DATABASE_URL=postgresql://.../diagsite_restored manage.py restore /var/backups/diagsite/diagsite-20260101T021500.dump

The database must be empty; the restore is a single transaction. Then every table is compared with the backup. Stop the
site first if it will use the restored database, and run `manage.py migrate` afterwards for a newer version.
"""


class Command(ExamplesCommand):
    """Restore a backup."""

    help = "Restore a backup into an empty database and verify every table."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file."""
        parser.add_argument("dump", type=Path, help="the path that `manage.py backup` printed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the number of restored rows; exit code 1 if a table differs."""
        stop_sampling()  # this process must not write samples before the tables are compared
        try:
            differing_tables = restore_backup(options["dump"])
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
        if differing_tables:
            raise CommandError(f"restored, but these tables differ from the backup: {', '.join(differing_tables)}")
        restored = compute_checksums()
        rows = sum(int(count) for count, _sum in restored.values())
        self.stdout.write(f"restored and verified: {len(restored)} tables, {rows} rows")
