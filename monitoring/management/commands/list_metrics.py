from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from monitoring.instrumentation.metrics_docs import render_metrics_markdown, replace_metric_tables
from monitoring.instrumentation.registry import get_metrics
from monitoring.management.base import ExamplesCommand


class Command(ExamplesCommand):
    help = "List every metric in the registry: name, kind, labels, meaning."
    examples = """examples:
  manage.py list_metrics                                      one line per metric
  manage.py list_metrics --markdown                           tables
  manage.py list_metrics --update docs/reference/metrics.md   update the tables of the page
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the output formats."""
        parser.add_argument("--markdown", action="store_true", help="print Markdown tables, one per app")
        parser.add_argument("--update", metavar="FILE", help="replace the tables in this page")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, or write it into the page."""
        if options["update"]:
            page = Path(options["update"])
            try:
                page.write_text(replace_metric_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
            except (OSError, ValueError) as error:
                raise CommandError(f"{page}: {error}") from error
            self.stdout.write(f"{page}: {len(get_metrics())} metrics")
        elif options["markdown"]:
            self.stdout.write(render_metrics_markdown())
        else:
            for metric in get_metrics().values():
                labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
                self.stdout.write(f"{metric.kind:9} {metric.name}{labels}  {metric.help}")
