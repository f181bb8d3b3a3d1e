from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from diagnosis.models import Platform
from diagnosis.running.single_call import make_single_call
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

DEFAULT_QUESTION = "入门手冲咖啡壶推荐哪个牌子？"
EXAMPLES = gettext_lazy("""\
示例：
  manage.py record_reply qwen-search                         做一次付费调用，打印发送和收到的内容
  manage.py record_reply qwen-search --output reply.json     写入文件，供开发人员使用
  manage.py record_reply kimi-search --question 哪个手冲壶好？

密钥会去掉。回复的其余内容保持原样，转交之前请先看一遍。
""")


class Command(SiteCommand):
    """Make one real call and keep the raw reply, so that a developer can see its exact shape."""

    help = gettext_lazy("对一个平台做一次真实调用，把请求、原始回复和解析结果打印为 JSON，不含密钥。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the platform, the question and the file."""
        parser.add_argument("platform", metavar="PLATFORM", help=_("平台的编号"))
        parser.add_argument("--question", default=DEFAULT_QUESTION, help=_("要问的问题"))
        parser.add_argument("--output", metavar="FILE", help=_("写入这个文件，不打印"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the call."""
        platform = Platform.objects.filter(pk=options["platform"]).first()
        if platform is None:
            known = ", ".join(Platform.objects.values_list("pk", flat=True))
            text = _("没有平台 %(id)s；现有：%(known)s")
            raise CommandError(text % {"id": options["platform"], "known": known or _("无")})
        call = make_single_call(platform, options["question"])
        record = call.to_record()
        text = DjangoJSONEncoder(ensure_ascii=False, indent=2).encode(record)
        if options["output"]:
            Path(options["output"]).write_text(text + "\n", encoding="utf-8")
            message = _("%(count)d 个步骤已写入 %(path)s")
            self.stdout.write(message % {"count": len(call.steps), "path": options["output"]})
        else:
            self.stdout.write(text)
        if call.failure:
            raise CommandError(f"{call.failure.reason.value}: {call.failure.detail}")
