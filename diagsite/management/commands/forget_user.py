import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from diagsite.accounts.deletion import DeletionReport, delete_user_data
from diagsite.accounts.users import find_user
from diagsite.models import User

EXAMPLES = """\
examples:
  manage.py forget_user wx-0c2a5c1f8e21            what would go, table by table; nothing is changed
  manage.py forget_user wx-0c2a5c1f8e21 --apply    delete it, and look through every table for what is left
  manage.py forget_user 4711                       by number; openid and device id do as well

Diagnoses that run are cancelled first. Entries of the admin's log stay, without saying who. Backups made before still
hold the data until they are replaced (docs/operations/manual.md).
"""


class Command(BaseCommand):
    """What a user may ask for by law."""

    help = "Delete everything of a user and prove that nothing is left. Without --apply nothing is changed."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, and whether to do it."""
        parser.add_argument("user", metavar="USER", help="username, number, openid or device id")
        parser.add_argument("--apply", action="store_true", help="delete")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a table, then the proof; exit code 1 when something is left."""
        try:
            user = find_user(options["user"])
        except User.DoesNotExist as error:
            raise CommandError("there is no such user") from error
        report = delete_user_data(user, apply=options["apply"])
        verb = "deleted" if options["apply"] else "to delete"
        for label, count in sorted(report.deleted.items()):
            self.stdout.write(f"{label:34} {count:9} {verb}")
        self._print_verification(report)
        if not options["apply"]:
            self.stdout.write("nothing was changed: --apply deletes it")
        if report.remaining:
            sys.exit(1)

    def _print_verification(self, report: DeletionReport) -> None:
        if not report.remaining:
            self.stdout.write("proof: no row of any table holds one of the user's names or ids")
        for table, count in sorted(report.remaining.items()):
            self.stdout.write(self.style.ERROR(f"LEFT: {count} rows of {table} still hold a name or id of the user"))
