from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error
from django.utils import timezone

from diagsite.operations.temporary_tables import back_up_and_drop_table, find_temporary_tables
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py clean_temporary_tables                      list names, rows, sizes and last write; changes nothing
  manage.py clean_temporary_tables --apply              back up each table to var/backups, then drop it
  manage.py clean_temporary_tables --apply --table tmp_import
  zcat var/backups/tmp_import-*.sql.gz | psql "$DATABASE_URL"   restore a table

Temporary tables are temp_* tmp_* bak_* *_backup *_old *_v1 *_v2. A table that a model, an app, an extension, a view or
a foreign key needs is never dropped; a table in use is skipped.
"""


class Command(ExamplesCommand):
    """List and drop tables that migrations or people left behind."""

    help = "List temporary tables that were left behind, and drop them. Without --apply it changes nothing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply, the tables and the backup directory."""
        parser.add_argument("--apply", action="store_true", help="back up and drop")
        parser.add_argument("--table", action="append", default=[], metavar="NAME", help="only this table; repeatable")
        parser.add_argument(
            "--backups",
            type=Path,
            default=settings.BASE_DIR / "var" / "backups",
            metavar="DIRECTORY",
            help="directory of the backups (default var/backups)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List the tables; with --apply back them up and drop them."""
        tables = [table for table in find_temporary_tables() if not options["table"] or table.name in options["table"]]
        for table in tables:
            written = f"{timezone.localtime(table.written_at):%Y-%m-%d %H:%M}" if table.written_at else "unknown"
            keep_note = f"  kept: {table.keep_reason}" if table.keep_reason else ""
            size_mb = table.size_bytes / 1e6
            self.stdout.write(
                f"{table.name:32} {table.rows:10} rows {size_mb:9.1f} MB  last write {written}{keep_note}"
            )
        removable = [table for table in tables if not table.keep_reason]
        size = sum(table.size_bytes for table in removable) / 1e6
        self.stdout.write(f"{len(removable)} of {len(tables)} tables can be dropped, {size:.1f} MB")
        if not options["apply"]:
            if removable:
                self.stdout.write("nothing was changed; --apply backs them up and drops them")
            return
        is_complete = True
        for table in removable:
            try:
                backup = back_up_and_drop_table(table.name, options["backups"])
                self.stdout.write(f"{table.name} dropped; backup: {backup}")
            except (Error, OSError) as error:
                self.stderr.write(f"{table.name} is kept: {str(error).splitlines()[0]}")
                is_complete = False
        if not is_complete:
            raise CommandError("some tables were not dropped", returncode=1)
