from argparse import ArgumentParser
from typing import Any

from diagsite.operations.retention import RETENTION_RULES
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py prune                        统计超过保留期的行数；不做改动
  manage.py prune --apply                分批删除
  manage.py prune --apply --only jobs    只处理一张表，可重复
  KEPT_DAYS=alerts=180,streams=7 manage.py prune

后台任务进程每晚做同样的事。诊断和回答从不清理。
""")


class Command(SiteCommand):
    """Delete the rows that are past their retention."""

    help = gettext_lazy("删除各表中超过保留期的行。不加 --apply 时不做改动。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply and the names of the rules."""
        parser.add_argument("--apply", action="store_true", help=_("执行删除"))
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="NAME",
            choices=[rule.name for rule in RETENTION_RULES],
            help=_("只处理这张表，可选：%(names)s") % {"names": ", ".join(rule.name for rule in RETENTION_RULES)},
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per table."""
        verb = _("已删除") if options["apply"] else _("待删除")
        for rule in RETENTION_RULES:
            if options["only"] and rule.name not in options["only"]:
                continue
            cutoff = rule.get_cutoff()
            if cutoff is None:
                self.stdout.write(f"{rule.name:11} {_('永久保留：')}{rule.description}")
                continue
            count = rule.prune(cutoff) if options["apply"] else rule.count(cutoff)
            period = _("，保留 %(days)g 天：") % {"days": rule.retention_days}
            self.stdout.write(f"{rule.name:11} {count:9} {verb}{period}{rule.description}")
        if not options["apply"]:
            self.stdout.write(_("没有做任何改动；加上 --apply 才会删除"))
