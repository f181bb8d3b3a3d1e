from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from errors.catalogue.coverage import check_default_messages, check_stored_messages
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy


class Command(SiteCommand):
    help = gettext_lazy("检查每个错误代码在每种语言里都有长度符合要求的有效文案。")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fail", action="store_true", help=_("有问题时以 1 退出"))
        parser.add_argument("--built-in", action="store_true", help=_("只检查默认文案，不需要数据库"))

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_default_messages() + ([] if options["built_in"] else check_stored_messages())
        for finding in findings:
            self.stdout.write(str(finding))
        if findings and options["fail"]:
            raise CommandError(_("%(count)d 个问题") % {"count": len(findings)}, returncode=1)
        if not findings:
            self.stdout.write(_("每个错误代码都有有效的文案"))
