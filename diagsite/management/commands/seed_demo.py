from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from diagnosis.demo.workspace import seed_demo_workspace
from diagsite.accounts.users import find_user, get_or_create_terminal_user
from diagsite.models import User
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py seed_demo               for the account of this terminal, which `make run` prints links of
  manage.py seed_demo --user anna   for another account: its user name, device id or id

The workspace is of a fictional brand and marked as demo: twelve weekly runs whose answers come from the demo platforms,
with a significant drop in the last one, sources, an untracked competitor and actions. Figures, sources and actions are
computed from these answers as from any others. No platform is called. Repeating it adds nothing; an interrupted one is
continued. DEMO must be on.
"""


class Command(ExamplesCommand):
    """Create the demo workspace."""

    help = "Create a workspace of a fictional brand with twelve weekly runs."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --user."""
        parser.add_argument("--user", metavar="NAME", help="whose workspace it is (default: this terminal's account)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print where the workspace is."""
        if not settings.DEMO:
            raise CommandError("DEMO is off: demo platforms answer on a demo site only")
        try:
            owner = find_user(options["user"]) if options["user"] else get_or_create_terminal_user()
        except User.DoesNotExist as error:
            raise CommandError(f"no account {options['user']}") from error
        workspace = seed_demo_workspace(owner)
        if workspace is None:
            raise CommandError("the account has deleted its demo workspace, or uses that brand for its own diagnoses")
        self.stdout.write(f"/w/{workspace.pk}/")
