from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.exceptions import InvalidRule
from monitoring.integrations.prometheus_rules import render_rule_file
from monitoring.models import Rule

EXAMPLES = """examples:
  manage.py export_prometheus_rules                          print the rules
  manage.py export_prometheus_rules --output diagsite.yml    write them; then: promtool check rules diagsite.yml
"""


class Command(BaseCommand):
    """For sites that have a Prometheus server."""

    help = "Write the enabled alert rules as a rule file of Prometheus."

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
        rules = list(Rule.objects.filter(is_enabled=True))
        try:
            text = render_rule_file(rules)
        except InvalidRule as error:
            raise CommandError(str(error)) from error
        if not options["output"]:
            self.stdout.write(text)
            return
        try:
            Path(options["output"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from error
        self.stdout.write(f"{options['output']}: {len(rules)} rules")
