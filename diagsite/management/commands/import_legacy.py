import sqlite3
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress

from diagnosis.exceptions import InvalidLegacyExport
from diagnosis.legacy.importer import ImportResult, LegacyImporter
from diagnosis.legacy.reader import LegacyExport
from diagnosis.legacy.table_layout import TableLayout
from diagsite.accounts.users import get_or_create_owners
from diagsite.cli.progress_display import create_console
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

TABLE_ROLES = ("diagnoses", "answers", "reports", "skip")

EXAMPLES = gettext_lazy("""\
示例：
  manage.py import_legacy database.db                        全部读一遍并报告；不存储
  manage.py import_legacy database.db --apply                导入；重复执行不会重复导入
  manage.py import_legacy database.db --table runs=skip      跳过一张表，或说明其内容：
  manage.py import_legacy database.db --table runs=diagnoses （diagnoses、answers、reports）
  manage.py repair_history                                   之后，列出导入记录的缺陷

SQLite 文件以只读方式打开。按列名识别各表，列名可以不同。没有时区的时间按当地时间（TIME_ZONE）读取，布尔值也可以是文本。
每行的原文都会保留；读不了的行按原因计数。未完成的诊断不会继续执行。
""")


class Command(SiteCommand):
    """Import the records of the previous system."""

    help = gettext_lazy("导入另一个系统 SQLite 文件中的诊断。不加 --apply 时不存储。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, --apply and the roles of tables."""
        parser.add_argument("file", type=Path, help=_("SQLite 文件"))
        parser.add_argument("--apply", action="store_true", help=_("存储记录"))
        parser.add_argument(
            "--table",
            action="append",
            default=[],
            metavar="NAME=ROLE",
            help=_("一张表的角色，可选：%(roles)s") % {"roles": ", ".join(TABLE_ROLES)},
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the file and report; with --apply store the records."""
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(_("没有文件 %(path)s") % {"path": path})
        table_roles = {}
        for text in options["table"]:
            name, _equals, role = text.rpartition("=")
            if not name or role not in TABLE_ROLES:
                message = _("--table %(text)s：应为 NAME=ROLE，ROLE 可选：%(roles)s")
                raise CommandError(message % {"text": text, "roles": ", ".join(TABLE_ROLES)})
            table_roles[name] = role
        try:
            with (
                LegacyExport(path, table_roles) as export,
                Progress(console=create_console(sys.stderr), disable=not self.stderr.isatty()) as bar,
            ):
                self._print_layout(export.layout)
                task = bar.add_task(_("诊断数"), total=export.count())
                importer = LegacyImporter(path, export, get_or_create_owners, applies=options["apply"])
                result = importer.run(lambda rows: bar.update(task, advance=rows))
        except (InvalidLegacyExport, sqlite3.Error) as error:
            raise CommandError(_("%(error)s；已导入的记录保留") % {"error": error}) from error
        self._print_result(result, apply=options["apply"])

    def _print_layout(self, layout: TableLayout) -> None:
        for role in ("diagnoses", "answers", "reports"):
            for table in getattr(layout, role):
                meaning = ", ".join(f"{ours}={column}" for ours, column in sorted(table.column_by_field.items()))
                self.stdout.write(f"{role:10} {table.name}: {meaning}")
        for name, reason in layout.skipped.items():
            self.stdout.write(f"{_('未读取')} {name}: {reason}")

    def _print_result(self, result: ImportResult, *, apply: bool) -> None:
        notes = result.statistics
        imported = (
            _("已导入 %(diagnoses)d 个诊断，%(answers)d 个回答")
            if apply
            else _("可以导入 %(diagnoses)d 个诊断，%(answers)d 个回答（加上 --apply 才会导入）")
        )
        self.stdout.write(imported % {"diagnoses": result.diagnoses, "answers": result.answers})
        for text, count in (
            (_("%(count)d 行以前导入过"), result.already_imported),
            (_("%(count)d 个回答所属的诊断不存在"), result.orphans),
            (_("%(count)d 个没有时区的时间按当地时间读取"), notes.naive_times),
            (_("%(count)d 个布尔值是文本"), notes.boolean_texts),
        ):
            self.stdout.write(text % {"count": count})
        for problem, count in notes.problems.most_common():
            self.stdout.write(_("%(count)d 次：%(problem)s") % {"count": count, "problem": problem})
        for problem, count in result.unreadable.most_common():
            self.stdout.write(_("%(count)d 个诊断读不了：%(problem)s") % {"count": count, "problem": _(problem)})
        if apply:
            self.stdout.write(_("接下来：manage.py repair_history"))
