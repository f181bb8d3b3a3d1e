import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.functional import lazy
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diagnosis.repair.defects import DEFECTS
from diagnosis.repair.runner import find_defects, run_repair, select_defects
from diagnosis.repair.undo import get_latest_repair_run, undo_repair_run
from diagsite.cli.progress_display import create_console
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

_EXAMPLES = gettext_lazy("""\
示例：
  manage.py repair_history                              统计每种缺陷并举例；不做改动
  manage.py repair_history --apply                      分批修复；中断后再次运行会继续
  manage.py repair_history --apply --only counts_wrong  只处理这种缺陷，可重复
  manage.py repair_history --undo                       按记录撤销上一次修复

有后台任务或未到截止时间的诊断会跳过。再次运行时不会再发现缺陷。
删除的行（只有重复的诊断）留在修复记录中，直到 `manage.py prune` 清理。

缺陷：
""")


def _build_examples() -> str:
    return str(_EXAMPLES) + "\n".join(
        f"  {defect.name:17} {defect.description}\n{'':20}-> {defect.fix_description}" for defect in DEFECTS
    )


class Command(SiteCommand):
    """Find and fix defects of old diagnosis records."""

    help = gettext_lazy("查找历史诊断记录的缺陷并修复。不加 --apply 时不做改动。")
    examples = lazy(_build_examples, str)()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply, --undo and the defects."""
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--apply", action="store_true", help=_("修复缺陷"))
        mode.add_argument("--undo", action="store_true", help=_("撤销上一次修复"))
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="DEFECT",
            choices=[defect.name for defect in DEFECTS],
            help=_("只处理这种缺陷，可重复"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List, fix or undo."""
        if options["undo"]:
            run = get_latest_repair_run()
            if run is None:
                raise CommandError(_("没有可以撤销的修复"))
            with _create_progress_bar(self.stderr.isatty()) as bar:
                task = bar.add_task(
                    _("撤销 #%(id)d") % {"id": run.pk}, total=run.changes.filter(is_undone=False).count()
                )
                done = undo_repair_run(run, lambda rows: bar.update(task, advance=rows))
            self.stdout.write(_("修复 #%(id)d：已还原 %(count)d 行") % {"id": run.pk, "count": done.restored})
            if done.skipped:
                self.stdout.write(_("%(count)d 行在修复之后又有改动，予以保留") % {"count": done.skipped})
            return
        summaries = find_defects(options["only"])
        for summary in summaries:
            self.stdout.write(f"{summary.count:8}  {summary.defect.name:17} {summary.defect.description}")
            for example in summary.examples:
                self.stdout.write(f"{'':10}  {example}")
        total = sum(summary.count for summary in summaries)
        self.stdout.write(f"{total:8}  {_('项缺陷；一条记录可以有多项')}")
        if options["apply"] and total:
            self._repair(options["only"], total)
        elif total:
            self.stdout.write(_("没有做任何改动；加上 --apply 才会修复"))

    def _repair(self, only: list[str], total: int) -> None:
        with _create_progress_bar(self.stderr.isatty()) as bar:
            tasks = {
                defect.name: bar.add_task(defect.name, total=None, visible=False) for defect in select_defects(only)
            }
            total_task = bar.add_task(_("合计"), total=total)

            def show(name: str, rows: int) -> None:
                bar.update(tasks[name], advance=rows)
                bar.update(total_task, advance=rows)

            run = run_repair(only, show)
        for name, count in run.mended.items():
            self.stdout.write(f"{count:8}  {name} {_('已修复')}")
        text = _("修复 #%(id)d：改动了 %(count)d 行；可用 --undo 撤销")
        self.stdout.write(text % {"id": run.pk, "count": run.changes.count()})


def _create_progress_bar(is_terminal: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=create_console(sys.stderr),
        disable=not is_terminal,
    )
