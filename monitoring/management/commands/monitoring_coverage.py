import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.instrumentation.coverage import INSTRUMENTS_BY_KIND, find_surfaces


class Command(SiteCommand):
    help = gettext_lazy("检查路由、WebSocket、任务、命令和对外调用是否都有计数、耗时和错误标签。")
    examples = gettext_lazy("""\
示例：
  manage.py monitoring_coverage                   各类有多少已计入，哪些没有
  manage.py monitoring_coverage --fail-under 0.9  覆盖率不足 90 % 时以 1 退出
  manage.py monitoring_coverage --json            列出每一项，供程序使用

“已覆盖”的定义见 docs/reference/metrics.md。
""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the threshold and the output format."""
        parser.add_argument("--fail-under", type=float, metavar="SHARE", help=_("低于这个比例（0 到 1）时以 1 退出"))
        parser.add_argument("--json", action="store_true", help=_("打印一份 JSON"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the coverage. Raises CommandError below the threshold."""
        surfaces = find_surfaces()
        share = sum(surface.is_covered for surface in surfaces) / len(surfaces)
        if options["json"]:
            document = {"covered": share, "surfaces": [asdict(surface) for surface in surfaces]}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            for surface in surfaces:
                if not surface.is_covered:
                    text = _("%(kind)s %(name)s：缺少 %(missing)s（%(why)s）")
                    self.stdout.write(text % {**asdict(surface), "missing": ", ".join(surface.missing)})
            for kind in INSTRUMENTS_BY_KIND:
                covered = [surface.is_covered for surface in surfaces if surface.kind == kind]
                self.stdout.write(f"{kind:8} {sum(covered)} / {len(covered)}")
            self.stdout.write(f"{_('已覆盖')}  {share:.1%}")
        min_share = options["fail_under"]
        if min_share is not None and share < min_share:
            raise CommandError(
                _("覆盖率 %(share).1f%%，低于 %(min_share).1f%%")
                % {"share": 100 * share, "min_share": 100 * min_share},
                returncode=1,
            )
