import asyncio
import contextlib
import json
import logging
import re
import sys
import uuid
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation
from django.utils.translation import gettext as _
from pydantic import ValidationError
from rich.console import Console

from diagnosis.choices import Status
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders import Request, place_order
from diagnosis.presenters import answer_json, diagnosis_detail_json, platform_json, report_json
from diagnosis.schemas import OrderIn
from diagsite import embedded
from diagsite.database import prepare_tables, require_database, require_tables
from diagsite.field_errors import fields_of
from diagsite.models import User
from diagsite.sessions import terminal_user
from diagsite.terminal import open_console, print_report, terminal_language
from diagsite.terminal_run import TerminalRun
from errors.exceptions import InvalidInput

BAD_INPUT = 2
INTERRUPTED = 130
EXIT_CODES = {
    Status.COMPLETED: 0,
    Status.PARTIAL: 3,
    Status.FAILED: 4,
    Status.TIMED_OUT: 4,
    Status.CANCELLED: 5,
}
FALLBACK_PLATFORM = "demo-fast"

DESCRIPTION = """\
Diagnose a brand in the terminal: put the questions to the platforms, watch the answers arrive, print the report.

The report goes to standard output, everything else to standard error. A worker that runs already (of `make run`, say)
does the work; without one, this command does it itself. The questions go out as they are: leave the brand out of them,
or its mention rate measures nothing.
"""

EXAMPLES = """\
examples:
  # the demo platform: fictional brands, no key
  manage.py diagnose 山岚 --competitor 云栖壶 --competitor 木石坊,木石 \\
      --question '入门手冲咖啡壶推荐哪个牌子？' --platform demo-fast

  # a real platform; its key is in the environment of the worker, here of this command
  DEEPSEEK_API_KEY=sk-... manage.py diagnose 山岚 --questions-file questions.txt --platform deepseek --repeats 3

  # for scripts: one JSON document
  manage.py diagnose 山岚 --question '送礼选哪款手冲壶？' --json | jq .report.brands

exit codes:
  0  completed: every answer is there (or was refused on content grounds)
  3  partial: some answers are missing
  4  failed, or timed out
  5  cancelled by somebody else
  2  the input is wrong; the message names the field
  1  the database or the configuration is wrong
  130  interrupted with Ctrl-C; what was answered is kept
"""


class Command(BaseCommand):
    """A diagnosis in the terminal."""

    help = DESCRIPTION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Django's parser, with the lines of the examples left as they are."""
        parser = super().create_parser(prog_name, subcommand, epilog=EXAMPLES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to ask, of whom, and how to tell."""
        parser.add_argument("brand", help="the brand to look for in the answers, at most 100 characters")
        parser.add_argument(
            "--alias", action="append", default=[], help="another spelling of the brand; repeatable, at most 10"
        )
        parser.add_argument(
            "--competitor",
            action="append",
            default=[],
            metavar="NAME[,ALIAS...]",
            help="a brand to compare with, and its other spellings; repeatable, at most 10",
        )
        parser.add_argument(
            "--question", action="append", default=[], help="what a buyer would ask; repeatable, at most 20"
        )
        parser.add_argument(
            "--questions-file", metavar="FILE", help="one question a line, - for standard input; # begins a comment"
        )
        parser.add_argument(
            "--platform",
            action="append",
            default=[],
            metavar="ID",
            help="repeatable, at most 10; default: every real platform that has its key and is not paused",
        )
        parser.add_argument("--repeats", type=int, default=1, help="how often each question is put, 1 to 5 (default 1)")
        parser.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="end it after so long, keeping the answers"
        )
        parser.add_argument("--user", help="whose diagnosis it is, by user name (default: the account `terminal`)")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        """Order, follow, print; ends with the exit code that `--help` tells."""
        is_quiet = options["verbosity"] < 2 and not settings.LOG_FILE
        with translation.override(terminal_language()), _errors_only() if is_quiet else contextlib.nullcontext():
            sys.exit(_diagnose(options))


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    """Keep the log off the terminal: the bar and the report tell what a person needs."""
    before = {handler: handler.level for handler in logging.getLogger().handlers}
    for handler in before:
        handler.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for handler, level in before.items():
            handler.setLevel(level)


def _diagnose(options: Mapping[str, Any]) -> int:
    require_database()
    if embedded.running_server():
        prepare_tables()
    require_tables()
    console = open_console(sys.stderr)
    diagnosis = _order(console, options)
    run = TerminalRun(diagnosis, console, timeout_seconds=options["timeout"])
    asyncio.run(run.run())
    diagnosis.refresh_from_db()
    _print(diagnosis, as_json=options["json"])
    status = Status(diagnosis.status)
    return INTERRUPTED if run.wants_cancel and status == Status.CANCELLED else EXIT_CODES[status]


def _order(console: Console, options: Mapping[str, Any]) -> Diagnosis:
    owner = _owner(options["user"])
    timeout = options["timeout"]
    if timeout is not None and timeout <= 0:
        raise CommandError("--timeout: must be more than 0", returncode=BAD_INPUT)
    body = {
        "brand": options["brand"],
        "aliases": options["alias"],
        "competitors": [_competitor(text) for text in options["competitor"]],
        "questions": [*options["question"], *_questions_in(options["questions_file"])],
        "platforms": options["platform"] or _default_platforms(console),
        "repeats": options["repeats"],
    }
    request = Request(owner, request_id=uuid.uuid4().hex, locale=terminal_language())
    try:
        diagnosis, _is_new = place_order(OrderIn.model_validate(body).to_order(), request)
    except ValidationError as error:
        raise _refused(fields_of([dict(one) for one in error.errors()])) from error
    except InvalidInput as error:
        raise _refused(error.fields or {}) from error
    if diagnosis.is_demo:
        console.print(_("演示数据，并非真实平台的回答"), style="bold yellow")
    return diagnosis


def _owner(name: str | None) -> User:
    if name is None:
        return terminal_user()
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(_("--user: 没有账号“%(name)s”。") % {"name": name}, returncode=BAD_INPUT)
    return user


def _competitor(text: str) -> dict[str, Any]:
    name, *aliases = re.split("[,，]", text)
    return {"name": name, "aliases": [alias for alias in aliases if alias.strip()]}


def _questions_in(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CommandError(f"--questions-file: {file}: {reason}", returncode=BAD_INPUT) from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _default_platforms(console: Console) -> list[str]:
    """Every real platform that can be asked; the demo platform, said aloud, where there is none."""
    healthy = [row["id"] for row in map(platform_json, Platform.objects.filter(is_enabled=True)) if row["healthy"]]
    real = list(Platform.objects.filter(pk__in=healthy, is_demo=False).values_list("pk", flat=True))
    if real:
        return real
    if not settings.DEMO:
        words = _("--platform: 没有可用的平台。请设置平台的密钥（例如 DEEPSEEK_API_KEY），或用 --platform 指定。")
        raise CommandError(words, returncode=BAD_INPUT)
    words = _("没有可用的真实平台（缺少密钥或已暂停），改用演示平台 %(platform)s：品牌和回答都是虚构的。")
    console.print(words % {"platform": FALLBACK_PLATFORM}, style="bold yellow")
    return [FALLBACK_PLATFORM]


def _refused(fields: Mapping[str, str]) -> CommandError:
    """The API's names of the fields, as the options that filled them; positions count from 1."""
    return CommandError("; ".join(f"{_option(name)}: {why}" for name, why in fields.items()), returncode=BAD_INPUT)


_OPTIONS = {
    "brand": "brand",
    "aliases": "--alias",
    "competitors": "--competitor",
    "questions": "--question",
    "platforms": "--platform",
    "repeats": "--repeats",
}


def _option(field: str) -> str:
    name, *path = field.split(".")
    places = [str(int(part) + 1) for part in path if part.isdigit()]
    return " ".join([_OPTIONS.get(name, name), *places[:1]])


def _print(diagnosis: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        answers = [answer_json(answer) for answer in diagnosis.answers.all()]
        document = {
            "diagnosis": diagnosis_detail_json(diagnosis),
            "report": report_json(diagnosis),
            "answers": answers,
        }
        print(json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        print_report(open_console(), report_json(diagnosis))
