import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q

from diagnosis.models import RawReply
from diagnosis.running.reply_records import read_raw_reply
from monitoring.management.base import ExamplesCommand

EXAMPLES = """\
examples:
  manage.py export_replies 4f5f1f0e-3a1b-4c1e-9d0c-6a4f3f5f9b11 > replies.jsonl     of a diagnosis or an answer

One line of JSON per answer: its ids, how it was read, and the raw bodies of the platform. Raw bodies are kept for
KEPT_DAYS=raw_replies=… days, 30 by default.
"""


class Command(ExamplesCommand):
    """Print the raw replies of a diagnosis or an answer, for support."""

    help = "Print the raw replies of the platforms to a diagnosis or to one answer, as JSON lines."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the id."""
        parser.add_argument("id", metavar="ID", help="id of a diagnosis or of an answer")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line per answer."""
        try:
            wanted = uuid.UUID(options["id"])
        except ValueError:
            raise CommandError(f"{options['id']} is not an id; copy it from the admin") from None
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
            raise CommandError(f"no raw reply is kept for {wanted}")
