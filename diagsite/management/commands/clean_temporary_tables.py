from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error
from django.utils import timezone

from diagsite.operations.temporary_tables import back_up_and_drop_table, find_temporary_tables
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py clean_temporary_tables                      列出表名、行数、大小和最后写入时间；不做改动
  manage.py clean_temporary_tables --apply              把每张表备份到 var/backups，再删除
  manage.py clean_temporary_tables --apply --table tmp_import
  zcat var/backups/tmp_import-*.sql.gz | psql "$DATABASE_URL"   恢复一张表

临时表指 temp_* tmp_* bak_* *_backup *_old *_v1 *_v2。
模型、应用、扩展、视图或外键需要的表从不删除；正在使用的表会跳过。
""")


class Command(SiteCommand):
    """List and drop tables that migrations or people left behind."""

    help = gettext_lazy("列出并删除遗留的临时表。不加 --apply 时不做改动。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply, the tables and the backup directory."""
        parser.add_argument("--apply", action="store_true", help=_("备份并删除"))
        parser.add_argument("--table", action="append", default=[], metavar="NAME", help=_("只处理这张表，可重复"))
        parser.add_argument(
            "--backups",
            type=Path,
            default=settings.BASE_DIR / "var" / "backups",
            metavar="DIRECTORY",
            help=_("备份目录（默认 var/backups）"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """List the tables; with --apply back them up and drop them."""
        tables = [table for table in find_temporary_tables() if not options["table"] or table.name in options["table"]]
        for table in tables:
            written = f"{timezone.localtime(table.written_at):%Y-%m-%d %H:%M}" if table.written_at else _("未知")
            line = _("%(name)-32s %(rows)10d 行 %(size)9.1f MB  最后写入 %(written)s") % {
                "name": table.name,
                "rows": table.rows,
                "size": table.size_bytes / 1e6,
                "written": written,
            }
            keep_note = f"  {_('保留：')}{table.keep_reason}" if table.keep_reason else ""
            self.stdout.write(f"{line}{keep_note}")
        removable = [table for table in tables if not table.keep_reason]
        size = sum(table.size_bytes for table in removable) / 1e6
        text = _("%(total)d 张表中有 %(count)d 张可以删除，共 %(size).1f MB")
        self.stdout.write(text % {"count": len(removable), "total": len(tables), "size": size})
        if not options["apply"]:
            if removable:
                self.stdout.write(_("没有做任何改动；加上 --apply 才会备份并删除"))
            return
        is_complete = True
        for table in removable:
            try:
                backup = back_up_and_drop_table(table.name, options["backups"])
                self.stdout.write(_("%(name)s 已删除，备份：%(path)s") % {"name": table.name, "path": backup})
            except (Error, OSError) as error:
                text = _("%(name)s 予以保留：%(reason)s")
                self.stderr.write(text % {"name": table.name, "reason": str(error).splitlines()[0]})
                is_complete = False
        if not is_complete:
            raise CommandError(_("有些表没有删除"), returncode=1)
