import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from diagsite.accounts.deletion import delete_user_data
from diagsite.accounts.users import find_user
from diagsite.models import User
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py forget_user wx-0c2a5c1f8e21            按表列出要删除的行数；不做改动
  manage.py forget_user wx-0c2a5c1f8e21 --apply    删除，再在所有表中查找该用户的编号
  manage.py forget_user 4711                       按主键；也可以用 openid 或设备编号

未完成的诊断会先取消。后台操作日志中的条目保留，但去掉姓名。
较早的备份在被替换之前仍含有这些数据（docs/operations/manual.zh.md）。
""")


class Command(SiteCommand):
    """Delete the data of a user, as the law requires on request."""

    help = gettext_lazy("删除一个用户的全部数据，并核对没有遗留。不加 --apply 时不做改动。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user and --apply."""
        parser.add_argument("user", metavar="USER", help=_("用户名、主键、openid 或设备编号"))
        parser.add_argument("--apply", action="store_true", help=_("执行删除"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per table and the verification; exit code 1 if data is left."""
        try:
            user = find_user(options["user"])
        except User.DoesNotExist as error:
            raise CommandError(_("没有这个用户")) from error
        report = delete_user_data(user, apply=options["apply"])
        verb = _("已删除") if options["apply"] else _("待删除")
        for label, count in sorted(report.deleted.items()):
            self.stdout.write(f"{label:34} {count:9} {verb}")
        for table, count in sorted(report.remaining.items()):
            text = _("遗留：%(table)s 仍有 %(count)d 行含有该用户的名字或编号")
            self.stdout.write(self.style.ERROR(text % {"table": table, "count": count}))
        if not report.remaining:
            self.stdout.write(_("已核对：没有任何一行含有该用户的名字或编号"))
        if not options["apply"]:
            self.stdout.write(_("没有做任何改动；加上 --apply 才会删除"))
        if report.remaining:
            sys.exit(1)
