import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from diagsite.operations.backups import BackupFailed, create_backup
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py backup                             write into var/backups
  manage.py backup /var/backups/diagsite       write into a directory; prints the path
  manage.py backup /var/backups/diagsite --keep 30

DATE.json, beside DATE.dump, contains the number of rows and the checksum of every table, which `manage.py restore`
verifies. A backup blocks no other process. pg_dump is taken from the PATH or from the embedded PostgreSQL.
"""


class Command(ExamplesCommand):
    """Dump the database into a file."""

    help = "Dump the database with a checksum of every table."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add directory and number of backups."""
        parser.add_argument("directory", nargs="?", type=Path, default=settings.BASE_DIR / "var" / "backups")
        kept = int(os.environ.get("BACKUPS_KEPT", 14))
        parser.add_argument("--keep", type=int, default=kept, help="backups to keep (default BACKUPS_KEPT, else 14)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the path of the dump."""
        if options["keep"] < 1:
            raise CommandError("--keep must be at least 1")
        try:
            self.stdout.write(str(create_backup(options["directory"], keep=options["keep"])))
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
