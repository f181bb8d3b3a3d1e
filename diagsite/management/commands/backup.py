import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from diagsite.operations.backups import BackupFailed, create_backup

EXAMPLES = """\
examples:
  manage.py backup                             into var/backups
  manage.py backup /var/backups/diagsite       as cron does every night; prints the file
  manage.py backup /var/backups/diagsite --keep 30

Beside DATE.dump, DATE.json holds the rows and the checksum of every table; `manage.py restore` proves by them that
all is there. Nobody has to wait while it runs. pg_dump is taken from the PATH or from the embedded PostgreSQL.
"""


class Command(BaseCommand):
    """The one way to back up."""

    help = "Dump the database with a checksum of every table."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and how many."""
        parser.add_argument("directory", nargs="?", type=Path, default=settings.BASE_DIR / "var" / "backups")
        kept = int(os.environ.get("BACKUPS_KEPT", 14))
        parser.add_argument("--keep", type=int, default=kept, help="how many stay (default BACKUPS_KEPT, else 14)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the file."""
        if options["keep"] < 1:
            raise CommandError("--keep must be at least 1")
        try:
            self.stdout.write(str(create_backup(options["directory"], keep=options["keep"])))
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
