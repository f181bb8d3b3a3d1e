from typing import Any

from django.core.management.base import BaseCommand

from diagnosis.seeding import seed_platforms
from errors.publishing import seed_copy


class Command(BaseCommand):
    """Adds what every installation starts with."""

    help = "Add the platforms and the error copy that are missing. What an operator has edited stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and say what was added."""
        added = seed_platforms()
        counts = seed_copy()
        if not options["verbosity"]:
            return
        self.stdout.write(f"{added} platforms added")
        self.stdout.write("error copy: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()))
