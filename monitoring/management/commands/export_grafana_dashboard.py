from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.integrations.grafana import render_grafana_dashboard

EXAMPLES = """examples:
  manage.py export_grafana_dashboard                    print it
  manage.py export_grafana_dashboard --output docs/reference/grafana-dashboard.json
                                                        write the file that Grafana imports
"""


class Command(BaseCommand):
    """For sites that have a Grafana."""

    help = "Write a Grafana dashboard with a panel for every metric."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("--output", metavar="FILE", help="write here instead of printing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file."""
        if not options["output"]:
            self.stdout.write(render_grafana_dashboard())
            return
        try:
            Path(options["output"]).write_text(render_grafana_dashboard(), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from error
        self.stdout.write(f"{options['output']} written")
