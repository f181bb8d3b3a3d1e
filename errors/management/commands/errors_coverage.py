from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from errors.catalogue.coverage import check_default_messages, check_stored_messages


class Command(BaseCommand):
    help = "Check that every error code has a valid message of allowed length in every language."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fail", action="store_true", help="exit with 1 if there are findings")
        parser.add_argument(
            "--built-in", action="store_true", help="check only the default messages; needs no database"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_default_messages() + ([] if options["built_in"] else check_stored_messages())
        for finding in findings:
            self.stdout.write(str(finding))
        if findings and options["fail"]:
            raise CommandError(f"{len(findings)} findings", returncode=1)
        if not findings:
            self.stdout.write("every error code has a valid message")
