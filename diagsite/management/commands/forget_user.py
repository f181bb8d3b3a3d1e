import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from diagsite.accounts.deletion import delete_user_data
from diagsite.accounts.users import find_user
from diagsite.models import User
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py forget_user wx-0c2a5c1f8e21            list what would be deleted, by table; changes nothing
  manage.py forget_user wx-0c2a5c1f8e21 --apply    delete it, then search all tables for the user's ids
  manage.py forget_user 4711                       by primary key; also by openid or device id

Unfinished diagnoses are cancelled first. Entries of the admin log stay without the name. Older backups contain the data
until they are replaced (docs/operations/manual.md).
"""


class Command(ExamplesCommand):
    """Delete the data of a user, as the law requires on request."""

    help = "Delete all data of a user and verify that nothing is left. Without --apply it changes nothing."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user and --apply."""
        parser.add_argument("user", metavar="USER", help="username, primary key, openid or device id")
        parser.add_argument("--apply", action="store_true", help="delete")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per table and the verification; exit code 1 if data is left."""
        try:
            user = find_user(options["user"])
        except User.DoesNotExist as error:
            raise CommandError("no such user") from error
        report = delete_user_data(user, apply=options["apply"])
        verb = "deleted" if options["apply"] else "to delete"
        for label, count in sorted(report.deleted.items()):
            self.stdout.write(f"{label:34} {count:9} {verb}")
        for table, count in sorted(report.remaining.items()):
            self.stdout.write(self.style.ERROR(f"LEFT: {count} rows of {table} still contain a name or id of the user"))
        if not report.remaining:
            self.stdout.write("verified: no row of any table contains a name or id of the user")
        if not options["apply"]:
            self.stdout.write("nothing was changed; --apply deletes it")
        if report.remaining:
            sys.exit(1)
