from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from errors.catalogue.coverage import check_default_messages, check_stored_messages


class Command(BaseCommand):
    """The gate for the words of errors."""

    help = "Check that every error code has words, in every language, that fit where they are shown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to check, and whether a finding is a failure."""
        parser.add_argument("--fail", action="store_true", help="exit with 1 when anything is found")
        parser.add_argument("--built-in", action="store_true", help="only the release's own words: no database needed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each finding on a line of its own."""
        findings = check_default_messages() + ([] if options["built_in"] else check_stored_messages())
        for finding in findings:
            self.stdout.write(str(finding))
        if findings and options["fail"]:
            raise CommandError(f"{len(findings)} findings", returncode=1)
        if not findings:
            self.stdout.write("every error code has words that fit")
