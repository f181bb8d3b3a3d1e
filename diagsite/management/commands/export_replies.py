import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q

from diagnosis.models import RawReply
from diagnosis.running.reply_records import read_raw_reply
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy

EXAMPLES = gettext_lazy("""\
示例：
  manage.py export_replies 4f5f1f0e-3a1b-4c1e-9d0c-6a4f3f5f9b11 > replies.jsonl     一个诊断或一个回答

每个回答一行 JSON：编号、解析结果，以及平台的原始回复。原始回复保留 KEPT_DAYS=raw_replies=… 天，默认 30 天。
""")


class Command(SiteCommand):
    """Print the raw replies of a diagnosis or an answer, for support."""

    help = gettext_lazy("把平台对一个诊断或一个回答的原始回复打印为 JSON 行。")
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the id."""
        parser.add_argument("id", metavar="ID", help=_("诊断或回答的编号"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per answer."""
        try:
            wanted = uuid.UUID(options["id"])
        except ValueError:
            raise CommandError(_("%(id)s 不是编号；请从后台复制") % {"id": options["id"]}) from None
        rows = RawReply.objects.filter(Q(answer=wanted) | Q(answer__diagnosis=wanted)).select_related("answer")
        found = False
        for row in rows.order_by("answer_id").iterator(chunk_size=20):
            found = True
            answer = row.answer
            line = {
                "diagnosis": answer.diagnosis_id,
                "answer": answer.pk,
                "platform": answer.platform_id,
                "protocol": answer.protocol,
                "surface": answer.surface,
                "model": answer.model,
                "text": answer.text,
                "is_cut": row.is_cut,
                "raw": read_raw_reply(row),
            }
            self.stdout.write(DjangoJSONEncoder(ensure_ascii=False).encode(line))
        if not found:
            raise CommandError(_("没有保留 %(id)s 的原始回复") % {"id": wanted})
