from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.instrumentation.metrics_docs import render_metrics_markdown, replace_metric_tables
from monitoring.instrumentation.registry import get_metrics

EXAMPLES = """examples:
  manage.py list_metrics                                      one line per metric
  manage.py list_metrics --markdown                           tables
  manage.py list_metrics --update docs/reference/metrics.md   update the tables of the page
"""


class Command(BaseCommand):
    """What rules, dashboards and Prometheus can name."""

    help = "List every metric of ours, from the registry: name, kind, labels, meaning."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """In which form, and where to."""
        parser.add_argument("--markdown", action="store_true", help="as tables, one an app")
        parser.add_argument("--update", metavar="FILE", help="replace the tables of this page")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, or write it into the page."""
        if options["update"]:
            self._update(Path(options["update"]))
        elif options["markdown"]:
            self.stdout.write(render_metrics_markdown())
        else:
            for one in get_metrics().values():
                labels = f"{{{','.join(one.labels)}}}" if one.labels else ""
                self.stdout.write(f"{one.kind:9} {one.name}{labels}  {one.help}")

    def _update(self, page: Path) -> None:
        try:
            page.write_text(replace_metric_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CommandError(f"{page}: {error}") from error
        self.stdout.write(f"{page}: {len(get_metrics())} metrics")
