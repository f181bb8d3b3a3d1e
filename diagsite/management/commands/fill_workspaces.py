from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from diagnosis.workspaces.fill import FillResult, count_unfilled, fill_workspaces
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py fill_workspaces            统计会归入工作区的内容；不做改动
  manage.py fill_workspaces --apply    立即归入，并显示进度

早期版本和导入的诊断与定期诊断归入其所有者和品牌的工作区，已结束的诊断存下用于总览的数字。
报告、回答和名称不变。可以中断和重复。后台任务进程每五分钟也会分小批做同样的事。
""")


class Command(SiteCommand):
    """Put old diagnoses into workspaces."""

    help = gettext_lazy("把早期版本的诊断归入工作区。不加 --apply 时不做改动。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply."""
        parser.add_argument("--apply", action="store_true", help=_("执行归入"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the progress and the result."""
        if not options["apply"]:
            self._report(count_unfilled(), _("待归入"))
            self.stdout.write(_("没有做任何改动；加上 --apply 才会归入"))
            return
        self._report(fill_workspaces(lambda result: self._report(result, _("目前已归入"))), _("已归入"))

    def _report(self, result: FillResult, verb: str) -> None:
        names = _("%(count)d 个工作区的名称，") % {"count": result.names} if result.names else ""
        text = _("%(verb)s：%(diagnoses)d 个诊断，%(schedules)d 个定期诊断，%(names)s%(summaries)d 份数字")
        self.stdout.write(text % {**asdict(result), "verb": verb, "names": names})
