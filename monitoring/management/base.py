"""Base classes and options of the management commands."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime


class ExamplesCommand(BaseCommand):
    """A command whose help ends with examples, printed without reformatting."""

    examples: ClassVar[str]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return Django's parser with the examples."""
        parser = super().create_parser(prog_name, subcommand, epilog=self.examples, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser


class ExportCommand(ExamplesCommand):
    """A command that prints a text or writes it to the file of `--output`."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--output`."""
        parser.add_argument("--output", metavar="FILE", help="write to this file instead of printing")

    def export(self, text: str, output: str | None, message: str) -> None:
        """Print the text, or write it to the file and print a message. Raises CommandError."""
        if not output:
            self.stdout.write(text)
            return
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        self.stdout.write(f"{output}{message}")


def parse_time_option(text: str) -> datetime:
    """Return the time of an option, by default in the site's time zone. Raises CommandError."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is not a time; write it like '2026-02-27 03:10'")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
