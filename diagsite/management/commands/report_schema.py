import json
from typing import Any

from diagnosis.reports.export.json_file import build_export_schema
from errors.management.base import SiteCommand
from errors.terminal import gettext_lazy


class Command(SiteCommand):
    """Print the JSON Schema of exported reports."""

    help = gettext_lazy("打印导出报告的 JSON Schema，存于 docs/reference/report.schema.json。")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the schema."""
        self.stdout.write(json.dumps(build_export_schema(), ensure_ascii=False, indent=1))
