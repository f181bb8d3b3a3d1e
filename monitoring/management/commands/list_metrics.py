from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.instrumentation.metrics_docs import render_metrics_markdown, replace_metric_tables
from monitoring.instrumentation.registry import get_metrics


class Command(SiteCommand):
    help = gettext_lazy("列出登记的每个指标：名称、类型、标签、含义。")
    examples = gettext_lazy("""\
示例：
  manage.py list_metrics                                      每个指标一行
  manage.py list_metrics --markdown                           表格
  manage.py list_metrics --update docs/reference/metrics.md   更新该页的表格
""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the output formats."""
        parser.add_argument("--markdown", action="store_true", help=_("打印 Markdown 表格，每个应用一张"))
        parser.add_argument("--update", metavar="FILE", help=_("替换这一页中的表格"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, or write it into the page."""
        if options["update"]:
            page = Path(options["update"])
            try:
                page.write_text(replace_metric_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
            except (OSError, ValueError) as error:
                raise CommandError(f"{page}: {error}") from error
            self.stdout.write(_("%(page)s：%(count)d 个指标") % {"page": page, "count": len(get_metrics())})
        elif options["markdown"]:
            self.stdout.write(render_metrics_markdown())
        else:
            for metric in get_metrics().values():
                labels = f"{{{','.join(metric.labels)}}}" if metric.labels else ""
                self.stdout.write(f"{metric.kind:9} {metric.name}{labels}  {metric.help}")
