from typing import Any

from django.core.management.base import CommandError

from errors.management.base import ExportCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.exceptions import InvalidRule
from monitoring.integrations.prometheus_rules import render_rule_file
from monitoring.models import Rule


class Command(ExportCommand):
    help = gettext_lazy("把启用的告警规则写成 Prometheus 规则文件。")
    examples = gettext_lazy("""\
示例：
  manage.py export_prometheus_rules                          打印规则
  manage.py export_prometheus_rules --output diagsite.yml    写入文件，之后：promtool check rules diagsite.yml
""")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the rules."""
        rules = list(Rule.objects.filter(is_enabled=True))
        try:
            text = render_rule_file(rules)
        except InvalidRule as error:
            raise CommandError(str(error)) from error
        self.export(text, options["output"], _("：%(count)d 条规则") % {"count": len(rules)})
