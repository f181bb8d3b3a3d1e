from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from diagnosis.models import Platform
from diagnosis.running.single_call import make_single_call
from monitoring.management.base import ExamplesCommand

DEFAULT_QUESTION = "入门手冲咖啡壶推荐哪个牌子？"
EXAMPLES = """\
examples:
  manage.py record_reply qwen-search                         make one paid call; print what was sent and received
  manage.py record_reply qwen-search --output reply.json     write it to a file, for a developer
  manage.py record_reply kimi-search --question 哪个手冲壶好？

The key is removed. Everything else of the reply is kept as it came, so look at it before you hand it on.
"""


class Command(ExamplesCommand):
    """Make one real call and keep the raw reply, so that a developer can see its exact shape."""

    help = "Make one real call to a platform, and print request, raw reply and reading as JSON, without the key."
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the platform, the question and the file."""
        parser.add_argument("platform", metavar="PLATFORM", help="id of a platform")
        parser.add_argument("--question", default=DEFAULT_QUESTION, help="what to ask")
        parser.add_argument("--output", metavar="FILE", help="write to this file instead of the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the call."""
        platform = Platform.objects.filter(pk=options["platform"]).first()
        if platform is None:
            known = ", ".join(Platform.objects.values_list("pk", flat=True))
            raise CommandError(f"there is no platform {options['platform']}; there are {known or 'none'}")
        call = make_single_call(platform, options["question"])
        record = call.to_record()
        text = DjangoJSONEncoder(ensure_ascii=False, indent=2).encode(record)
        if options["output"]:
            Path(options["output"]).write_text(text + "\n", encoding="utf-8")
            self.stdout.write(f"{len(call.steps)} steps written to {options['output']}")
        else:
            self.stdout.write(text)
        if call.failure:
            raise CommandError(f"{call.failure.reason.value}: {call.failure.detail}")
