"""The base class of management commands with examples."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand


class ExamplesCommand(BaseCommand):
    """A command whose `--help` ends with examples, printed as they are written."""

    examples: str

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Add the examples to Django's parser."""
        parser = super().create_parser(prog_name, subcommand, epilog=self.examples, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser
