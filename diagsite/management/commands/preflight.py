import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext_noop
from rich.table import Table

from diagsite.cli.progress_display import create_console
from diagsite.operations.preflight.checks import CHECK_DEPENDENCIES, CHECKS, select_checks
from diagsite.operations.preflight.results import FAILED, OK, WARNING, get_exit_code, run_checks
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py preflight                    运行所有不产生费用的检查
  manage.py preflight --live --notify    另向每个平台问一个简短的问题，向每个渠道发一条消息
  manage.py preflight --skip services    在后台任务进程启动之前
  manage.py preflight --json | jq '.checks[] | select(.level != "ok")'

退出码：
  0  没有失败的检查，可以有警告
  1  有检查失败；使用 --strict 时，有警告也算
""")
_LEVEL_NAMES = {OK: gettext_noop("通过"), WARNING: gettext_noop("有警告"), FAILED: gettext_noop("未通过")}
STYLE_BY_LEVEL = {OK: "green", WARNING: "yellow", FAILED: "bold red"}


class Command(SiteCommand):
    """Check an installation before a deployment or when it has problems."""

    help = gettext_lazy("检查网站所需的一切：安装、设置、服务、密钥、告警。")
    examples = EXAMPLES
    requires_system_checks: list[str] = []  # the check `settings` runs them

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the scope and the output format."""
        parser.add_argument("--live", action="store_true", help=_("向每个启用的平台发一次低价的调用"))
        parser.add_argument("--notify", action="store_true", help=_("通过每个告警渠道发一条测试消息"))
        parser.add_argument("--strict", action="store_true", help=_("有警告时也以 1 退出"))
        parser.add_argument("--json", action="store_true", help=_("打印一份 JSON"))
        parser.add_argument(
            "--skip",
            action="append",
            default=[],
            metavar="CHECK",
            choices=list(CHECKS),
            help=_("跳过一项检查，可重复"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks, print the results, and exit with the code described in `--help`."""
        checks = select_checks(live=options["live"], notify=options["notify"], skipped=options["skip"])
        results = run_checks(checks, CHECK_DEPENDENCIES)
        code = get_exit_code(results, strict=options["strict"])
        if options["json"]:
            document = {"ok": code == 0, "checks": [result.to_dict() for result in results]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            table = Table(_("检查项"), "", _("检查结果"), _("毫秒"))
            for result in results:
                style = STYLE_BY_LEVEL[result.level]
                table.add_row(
                    result.name, _(_LEVEL_NAMES[result.level]), result.detail, f"{result.ms:.0f}", style=style
                )
            create_console(sys.stdout).print(table)
            counts = {level: sum(result.level == level for result in results) for level in STYLE_BY_LEVEL}
            self.stdout.write(", ".join(f"{count} {_(_LEVEL_NAMES[level])}" for level, count in counts.items()))
        if code:
            sys.exit(code)
