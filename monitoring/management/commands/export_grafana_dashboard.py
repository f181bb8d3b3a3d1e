from typing import Any

from monitoring.integrations.grafana import render_grafana_dashboard
from monitoring.management.base import ExportCommand


class Command(ExportCommand):
    help = "Write a Grafana dashboard with a panel for every metric."
    examples = """examples:
  manage.py export_grafana_dashboard                    print it
  manage.py export_grafana_dashboard --output docs/reference/grafana-dashboard.json
                                                        write the file that Grafana imports
"""

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the dashboard."""
        self.export(render_grafana_dashboard(), options["output"], " written")
