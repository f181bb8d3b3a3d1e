from typing import Any

from django.core.management.base import BaseCommand

from diagnosis.platforms.seed import seed_platforms
from diagsite.roles import seed_roles
from errors.catalogue.publishing import seed_error_messages
from monitoring.rules.defaults import seed_rules


class Command(BaseCommand):
    """Add the rows that every installation needs."""

    help = (
        "Add missing platforms, error messages, alert rules and roles. "
        "Changes by operators are kept, and deleted rules and roles are not added again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print what was added."""
        added = seed_platforms()
        counts = seed_error_messages()
        rules = seed_rules()
        roles = seed_roles()
        if not options["verbosity"]:
            return
        self.stdout.write(f"{added} platforms added")
        self.stdout.write("error messages: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()))
        self.stdout.write("alert rules: " + ", ".join(f"{n} {name}" for name, n in rules.items()))
        self.stdout.write("roles: " + ", ".join(f"{n} {name}" for name, n in roles.items()))
