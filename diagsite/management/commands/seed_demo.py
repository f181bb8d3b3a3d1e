from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from diagnosis.demo.workspace import seed_demo_workspace
from diagsite.accounts.users import find_user, get_or_create_terminal_user
from diagsite.models import User
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py seed_demo               用于本终端的账号，`make run` 打印的就是它的链接
  manage.py seed_demo --user anna   用于另一个账号：用户名、设备编号或编号

工作区属于一个虚构的品牌，标为演示：十二次每周诊断，回答来自演示平台，
最近一次显著下降，另有来源、未跟踪的竞品和待办。数字、来源和待办与真实回答一样由计算得出。
不调用任何平台。重复执行不会重复添加；中断后会继续。DEMO 必须开启。
""")


class Command(SiteCommand):
    """Create the demo workspace."""

    help = gettext_lazy("创建一个虚构品牌的工作区，含十二次每周诊断。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --user."""
        parser.add_argument("--user", metavar="NAME", help=_("工作区属于谁（默认为本终端的账号）"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print where the workspace is."""
        if not settings.DEMO:
            raise CommandError(_("DEMO 没有开启：演示平台只在演示网站上回答"))
        try:
            owner = find_user(options["user"]) if options["user"] else get_or_create_terminal_user()
        except User.DoesNotExist as error:
            raise CommandError(_("没有账号 %(name)s") % {"name": options["user"]}) from error
        workspace = seed_demo_workspace(owner)
        if workspace is None:
            raise CommandError(_("该账号已删除演示工作区，或已把这个品牌用于自己的诊断"))
        self.stdout.write(f"/w/{workspace.pk}/")
