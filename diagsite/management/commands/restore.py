from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from diagsite.operations.backups import BackupFailed, compute_checksums, restore_backup
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.samples.collector import stop_sampling

EXAMPLES = gettext_lazy("""\
示例：
  createdb diagsite_restored
  DATABASE_URL=postgresql://.../diagsite_restored manage.py restore /var/backups/diagsite/diagsite-20260101T021500.dump

数据库必须为空；恢复在一个事务内完成，随后把每张表与备份比对。
如果网站要使用恢复的数据库，请先停止网站；版本较新时，恢复之后再运行 `manage.py migrate`。
""")


class Command(SiteCommand):
    """Restore a backup."""

    help = gettext_lazy("把备份恢复到空数据库，并核对每张表。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file."""
        parser.add_argument("dump", type=Path, help=_("`manage.py backup` 打印的路径"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the number of restored rows; exit code 1 if a table differs."""
        stop_sampling()  # this process must not write samples before the tables are compared
        try:
            differing_tables = restore_backup(options["dump"])
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from error
        if differing_tables:
            raise CommandError(_("已恢复，但这些表与备份不同：%(tables)s") % {"tables": ", ".join(differing_tables)})
        restored = compute_checksums()
        rows = sum(int(count) for count, _sum in restored.values())
        self.stdout.write(_("已恢复并核对：%(tables)d 张表，%(rows)d 行") % {"tables": len(restored), "rows": rows})
