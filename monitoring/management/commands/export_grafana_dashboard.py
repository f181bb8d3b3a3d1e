from typing import Any

from errors.management.base import ExportCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.integrations.grafana import render_grafana_dashboard


class Command(ExportCommand):
    help = gettext_lazy("写出 Grafana 仪表盘，每个指标一个面板。")
    examples = gettext_lazy("""\
示例：
  manage.py export_grafana_dashboard                    打印
  manage.py export_grafana_dashboard --output docs/reference/grafana-dashboard.json
                                                        写入供 Grafana 导入的文件
""")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the dashboard."""
        self.export(render_grafana_dashboard(), options["output"], _(" 已写入"))
