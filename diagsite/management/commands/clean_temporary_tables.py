from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from diagsite.operations.temporary_tables import TemporaryTable, back_up_and_drop_table, find_temporary_tables

EXAMPLES = """\
examples:
  manage.py clean_temporary_tables                      look: names, rows, sizes, last write; nothing is changed
  manage.py clean_temporary_tables --apply              back each up to var/backups, then drop it
  manage.py clean_temporary_tables --apply --table tmp_import
  zcat var/backups/tmp_import-*.sql.gz | psql "$DATABASE_URL"   put one back

temporary are: temp_* tmp_* bak_* *_backup *_old *_v1 *_v2. What a model, an app, an extension, a view or a foreign key
needs is never dropped, and a table that is in use is left for the next time.
"""


class Command(BaseCommand):
    """Sweeps up after migrations and people."""

    help = "List tables that were left behind, and drop them. Without --apply nothing is changed."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to do it, to what, and where the backups go."""
        parser.add_argument("--apply", action="store_true", help="back up and drop")
        parser.add_argument("--table", action="append", default=[], metavar="NAME", help="only this one; repeatable")
        parser.add_argument(
            "--backups",
            type=Path,
            default=settings.BASE_DIR / "var" / "backups",
            metavar="DIRECTORY",
            help="where the backups go (default var/backups)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List, and drop what may go."""
        found = [table for table in find_temporary_tables() if not options["table"] or table.name in options["table"]]
        for table in found:
            self.stdout.write(_format_table(table))
        removable = [table for table in found if not table.keep_reason]
        size = sum(table.size_bytes for table in removable) / 1e6
        self.stdout.write(f"{len(removable)} of {len(found)} tables may go, {size:.1f} MB")
        if not options["apply"]:
            if removable:
                self.stdout.write("nothing was changed: --apply backs them up and drops them")
            return
        removed = [self._back_up_and_drop(table, options["backups"]) for table in removable]
        if not all(removed):
            raise CommandError("some tables are still there", returncode=1)

    def _back_up_and_drop(self, table: TemporaryTable, directory: Path) -> bool:
        try:
            backup = back_up_and_drop_table(table.name, directory)
        except (Error, OSError) as error:
            self.stderr.write(f"{table.name} stays: {str(error).splitlines()[0]}")
            return False
        self.stdout.write(f"{table.name} dropped; backup: {backup}")
        return True


def _format_table(table: TemporaryTable) -> str:
    written = f"{timezone.localtime(table.written_at):%Y-%m-%d %H:%M}" if table.written_at else "unknown"
    keep_note = f"  stays: {table.keep_reason}" if table.keep_reason else ""
    return f"{table.name:32} {table.rows:10} rows {table.size_bytes / 1e6:9.1f} MB  last write {written}{keep_note}"
