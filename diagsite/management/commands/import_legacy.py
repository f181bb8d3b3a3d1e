import sqlite3
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress

from diagnosis.exceptions import InvalidLegacyExport
from diagnosis.legacy.importer import ImportResult, LegacyImporter
from diagnosis.legacy.reader import LegacyExport
from diagnosis.legacy.table_layout import TableLayout
from diagsite.accounts.users import get_or_create_owners
from diagsite.cli.progress_display import create_console
from monitoring.management.base import ExamplesCommand

TABLE_ROLES = ("diagnoses", "answers", "reports", "skip")

EXAMPLES = """\
examples:
  manage.py import_legacy database.db                        read everything and report; stores nothing
  manage.py import_legacy database.db --apply                import it; repeating adds nothing
  manage.py import_legacy database.db --table runs=skip      skip a table, or name its content:
  manage.py import_legacy database.db --table runs=diagnoses  (diagnoses, answers, reports)
  manage.py repair_history                                   afterwards, list defects of the imported records

The SQLite file is opened read-only. Tables are recognized by their columns, whose names may vary. Times without a zone
are read as local time (TIME_ZONE), booleans also as text. The original of every row is kept; unreadable rows are
counted by reason. Unfinished diagnoses are not continued.
"""


class Command(ExamplesCommand):
    """Import the records of the previous system."""

    help = "Import the diagnoses of another system's SQLite file. Without --apply it stores nothing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, --apply and the roles of tables."""
        parser.add_argument("file", type=Path, help="the SQLite file")
        parser.add_argument("--apply", action="store_true", help="store the records")
        parser.add_argument(
            "--table",
            action="append",
            default=[],
            metavar="NAME=ROLE",
            help=f"the role of a table: one of {', '.join(TABLE_ROLES)}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the file and report; with --apply store the records."""
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"{path}: no such file")
        table_roles = {}
        for text in options["table"]:
            name, _equals, role = text.rpartition("=")
            if not name or role not in TABLE_ROLES:
                raise CommandError(f"--table {text}: NAME=ROLE, where ROLE is one of {', '.join(TABLE_ROLES)}")
            table_roles[name] = role
        try:
            with (
                LegacyExport(path, table_roles) as export,
                Progress(console=create_console(sys.stderr), disable=not self.stderr.isatty()) as bar,
            ):
                self._print_layout(export.layout)
                task = bar.add_task("diagnoses", total=export.count())
                importer = LegacyImporter(path, export, get_or_create_owners, applies=options["apply"])
                result = importer.run(lambda rows: bar.update(task, advance=rows))
        except (InvalidLegacyExport, sqlite3.Error) as error:
            raise CommandError(f"{error}; records imported so far are kept") from error
        self._print_result(result, apply=options["apply"])

    def _print_layout(self, layout: TableLayout) -> None:
        for role in ("diagnoses", "answers", "reports"):
            for table in getattr(layout, role):
                meaning = ", ".join(f"{ours}={column}" for ours, column in sorted(table.column_by_field.items()))
                self.stdout.write(f"{role:10} {table.name}: {meaning}")
        for name, reason in layout.skipped.items():
            self.stdout.write(f"{'not read':10} {name}: {reason}")

    def _print_result(self, result: ImportResult, *, apply: bool) -> None:
        verb = "imported" if apply else "can be imported (--apply does)"
        notes = result.statistics
        self.stdout.write(f"{result.diagnoses} diagnoses with {result.answers} answers {verb}")
        self.stdout.write(f"{result.already_imported} rows were imported before")
        self.stdout.write(f"{result.orphans} answers refer to a diagnosis that does not exist")
        self.stdout.write(f"{notes.naive_times} times without a zone were read as local time")
        self.stdout.write(f"{notes.boolean_texts} booleans were texts")
        for problem, count in notes.problems.most_common():
            self.stdout.write(f"{count} times: {problem}")
        for problem, count in result.unreadable.most_common():
            self.stdout.write(f"{count} diagnoses could not be read: {problem}")
        if apply:
            self.stdout.write("next: manage.py repair_history")
