import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from diagsite.operations.backups import BackupFailed, create_backup
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py backup                             写入 var/backups
  manage.py backup /var/backups/diagsite       写入一个目录，打印文件路径
  manage.py backup /var/backups/diagsite --keep 30

DATE.dump 旁边的 DATE.json 记录每张表的行数与校验和，`manage.py restore` 据此核对。
备份不会阻塞其他进程。pg_dump 取自 PATH，或取自内嵌的 PostgreSQL。
""")


class Command(SiteCommand):
    """Dump the database into a file."""

    help = gettext_lazy("导出数据库，并记录每张表的校验和。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add directory and number of backups."""
        parser.add_argument("directory", nargs="?", type=Path, default=settings.BASE_DIR / "var" / "backups")
        kept = int(os.environ.get("BACKUPS_KEPT", 14))
        parser.add_argument(
            "--keep", type=int, default=kept, help=_("保留的备份数（默认为 BACKUPS_KEPT，未设置则为 14）")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the path of the dump."""
        if options["keep"] < 1:
            raise CommandError(_("--keep 至少为 1"))
        try:
            self.stdout.write(str(create_backup(options["directory"], keep=options["keep"])))
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
