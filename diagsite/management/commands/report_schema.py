import json
from typing import Any

from django.core.management.base import BaseCommand

from diagnosis.reports.export.json_file import build_export_schema


class Command(BaseCommand):
    """Print the JSON Schema of exported reports."""

    help = "Print the JSON Schema of exported reports; kept as docs/reference/report.schema.json."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the schema."""
        self.stdout.write(json.dumps(build_export_schema(), ensure_ascii=False, indent=1))
