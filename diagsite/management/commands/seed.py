from typing import Any

from django.core.management.base import BaseCommand

from diagnosis.platforms.seed import seed_platforms
from diagsite.roles import seed_roles
from errors.catalogue.publishing import seed_error_messages
from monitoring.rules.defaults import seed_rules


class Command(BaseCommand):
    """Adds what every installation starts with."""

    help = (
        "Add the platforms, the error copy, the alert rules and the roles of staff that are missing. "
        "What an operator has edited stays as it is, and a rule or role that was deleted stays deleted."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and say what was added."""
        added = seed_platforms()
        counts = seed_error_messages()
        rules = seed_rules()
        roles = seed_roles()
        if not options["verbosity"]:
            return
        self.stdout.write(f"{added} platforms added")
        self.stdout.write("error copy: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()))
        self.stdout.write("alert rules: " + ", ".join(f"{n} {name}" for name, n in rules.items()))
        self.stdout.write("roles: " + ", ".join(f"{n} {name}" for name, n in roles.items()))
