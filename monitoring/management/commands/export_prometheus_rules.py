from typing import Any

from django.core.management.base import CommandError

from monitoring.exceptions import InvalidRule
from monitoring.integrations.prometheus_rules import render_rule_file
from monitoring.management.base import ExportCommand
from monitoring.models import Rule


class Command(ExportCommand):
    help = "Write the enabled alert rules as a Prometheus rule file."
    examples = """examples:
  manage.py export_prometheus_rules                          print the rules
  manage.py export_prometheus_rules --output diagsite.yml    write them; then: promtool check rules diagsite.yml
"""

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the rules."""
        rules = list(Rule.objects.filter(is_enabled=True))
        try:
            text = render_rule_file(rules)
        except InvalidRule as error:
            raise CommandError(str(error)) from error
        self.export(text, options["output"], f": {len(rules)} rules")
