import asyncio
import contextlib
import json
import logging
import re
import sys
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation
from django.utils.translation import gettext as _
from pydantic import ValidationError
from rich.console import Console

from diagnosis.api.schemas import OrderIn
from diagnosis.api.serializers import serialize_answer, serialize_diagnosis_detail, serialize_platform
from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.services import RequestContext, create_diagnosis
from diagnosis.platforms.availability import describe_obstacle
from diagnosis.reports.serializers import serialize_report
from diagnosis.running import queue
from diagnosis.spending.overview import get_diagnosis_costs
from diagsite.accounts.users import get_or_create_terminal_user
from diagsite.api.field_errors import build_field_errors
from diagsite.cli.progress_display import create_console, print_cost, print_report
from diagsite.cli.run import TerminalRun
from diagsite.models import User
from diagsite.server import embedded_postgres
from diagsite.server.db_checks import migrate_and_seed, require_database, require_migrations_applied
from errors.exceptions import InvalidInput
from errors.management.base import SiteCommand
from errors.terminal import get_terminal_language, gettext_lazy

EXIT_INVALID_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_CODE_BY_STATUS = {
    DiagnosisStatus.COMPLETED: 0,
    DiagnosisStatus.PARTIAL: 3,
    DiagnosisStatus.FAILED: 4,
    DiagnosisStatus.TIMED_OUT: 4,
    DiagnosisStatus.CANCELLED: 5,
}
FALLBACK_PLATFORM_ID = "demo-fast"

DESCRIPTION = gettext_lazy("""\
在终端里诊断一个品牌：向各平台提问，显示进度，打印报告。

报告写到标准输出，其余写到标准错误。如果没有后台任务进程在运行（如 `make run` 启动的），本命令自己运行一个。
问题按原文发送，不应包含品牌名：否则提及率没有意义。
""")

EXAMPLES = gettext_lazy("""\
示例：
  # 演示平台：品牌是虚构的，不需要密钥
  manage.py diagnose 山岚 --competitor 云栖壶 --competitor 木石坊,木石 \\
      --question '入门手冲咖啡壶推荐哪个牌子？' --platform demo-fast

  # 真实平台；密钥在后台任务进程的环境变量里，这里就是本命令的
  DEEPSEEK_API_KEY=sk-... manage.py diagnose 山岚 --questions-file questions.txt --platform deepseek --repeats 3

  # 供脚本使用：一份 JSON
  manage.py diagnose 山岚 --question '送礼选哪款手冲壶？' --json | jq .report.brands

退出码：
  0  完成：每个回答都有效，或被平台的内容过滤拒绝
  3  部分完成：缺少一些回答
  4  失败或超时
  5  在别处被取消
  2  输入无效；消息会指出是哪一项
  1  数据库或配置有问题
  130  被 Ctrl-C 中断；已有的回答保留
""")


class Command(SiteCommand):
    """Run a diagnosis in the terminal."""

    help = DESCRIPTION
    examples = EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add brand, questions, platforms and output options."""
        parser.add_argument("brand", help=gettext_lazy("要在回答中查找的品牌，最多 100 个字"))
        parser.add_argument(
            "--alias", action="append", default=[], help=gettext_lazy("品牌的另一种写法，可重复，最多 10 个")
        )
        parser.add_argument(
            "--competitor",
            action="append",
            default=[],
            metavar="NAME[,ALIAS...]",
            help=gettext_lazy("要比较的品牌及其其他写法，可重复，最多 10 个"),
        )
        parser.add_argument(
            "--question", action="append", default=[], help=gettext_lazy("买家会问的问题，可重复，最多 20 个")
        )
        parser.add_argument(
            "--questions-file", metavar="FILE", help=gettext_lazy("每行一个问题，- 表示标准输入；# 开头的是注释")
        )
        parser.add_argument(
            "--platform",
            action="append",
            default=[],
            metavar="ID",
            help=gettext_lazy("可重复，最多 10 个；默认为所有有密钥且没有暂停的真实平台"),
        )
        parser.add_argument("--repeats", type=int, default=1, help=gettext_lazy("每个问题问几次，1 到 5（默认 1）"))
        parser.add_argument(
            "--timeout", type=float, metavar="SECONDS", help=gettext_lazy("到这个时间就结束诊断，保留已有的回答")
        )
        parser.add_argument("--user", help=gettext_lazy("所有者的用户名（默认为账号 `terminal`）"))
        parser.add_argument("--json", action="store_true", help=gettext_lazy("打印一份 JSON，而不是报告"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the diagnosis, print the report, and exit with the code described in `--help`."""
        is_quiet = options["verbosity"] < 2 and not settings.LOG_FILE
        with (
            translation.override(_get_language()),
            _log_errors_only() if is_quiet else contextlib.nullcontext(),
        ):
            sys.exit(_run_diagnosis(options))


def _get_language() -> str:
    """Return the language of the report, which is that of the site if the terminal names none."""
    return get_terminal_language(settings.LANGUAGE_CODE)


@contextlib.contextmanager
def _log_errors_only() -> Iterator[None]:
    """Keep other log records off the terminal, which shows the progress bar and the report."""
    previous_levels = {handler: handler.level for handler in logging.getLogger().handlers}
    for handler in previous_levels:
        handler.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for handler, level in previous_levels.items():
            handler.setLevel(level)


def _run_diagnosis(options: Mapping[str, Any]) -> int:
    timeout = options["timeout"]
    if timeout is not None and timeout <= 0:
        raise CommandError(_("--timeout: 必须大于 0。"), returncode=EXIT_INVALID_INPUT)
    require_database()
    if embedded_postgres.get_embedded_server():
        migrate_and_seed()
    require_migrations_applied()
    console = create_console(sys.stderr)
    diagnosis = _create_diagnosis(console, options)
    if not diagnosis.is_demo:
        print_cost(console, diagnosis.estimated_cost, None)
    run = TerminalRun(diagnosis, console, timeout_seconds=timeout)
    asyncio.run(run.run())
    diagnosis.refresh_from_db()
    report = serialize_report(diagnosis)
    if options["json"]:
        document = {
            "diagnosis": serialize_diagnosis_detail(diagnosis),
            "report": report,
            "answers": [serialize_answer(answer) for answer in diagnosis.answers.all()],
        }
        print(json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        print_report(create_console(), report)
        if not diagnosis.is_demo:
            cost = get_diagnosis_costs([diagnosis.pk]).get(diagnosis.pk)
            print_cost(create_console(), diagnosis.estimated_cost, cost)
    status = DiagnosisStatus(diagnosis.status)
    return (
        EXIT_INTERRUPTED
        if run.is_cancel_requested and status == DiagnosisStatus.CANCELLED
        else EXIT_CODE_BY_STATUS[status]
    )


def _create_diagnosis(console: Console, options: Mapping[str, Any]) -> Diagnosis:
    name = options["user"]
    users = User.objects.filter(username=name, is_active=True)
    owner = get_or_create_terminal_user() if name is None else users.first()
    if owner is None:
        raise CommandError(_("--user: 没有账号“%(name)s”。") % {"name": name}, returncode=EXIT_INVALID_INPUT)
    body = {
        "brand": options["brand"],
        "aliases": options["alias"],
        "competitors": [
            {"name": name, "aliases": [alias for alias in aliases if alias.strip()]}
            for name, *aliases in (re.split("[,，]", text) for text in options["competitor"])
        ],
        "questions": [*options["question"], *_read_questions(options["questions_file"])],
        "platforms": options["platform"] or _get_default_platforms(console),
        "repeats": options["repeats"],
    }
    # A worker that runs already has the keys in its own environment.
    knows_keys = not queue.has_live_worker(settings.JOB_STALLED_SECONDS)
    request = RequestContext(owner, request_id=uuid.uuid4().hex, locale=_get_language(), knows_keys=knows_keys)
    try:
        diagnosis, _is_new = create_diagnosis(OrderIn.model_validate(body).to_request(), request)
    except ValidationError as error:
        raise _build_input_error(build_field_errors([dict(details) for details in error.errors()])) from error
    except InvalidInput as error:
        raise _build_input_error(error.fields or {}) from error
    for platform in diagnosis.get_platforms():
        if platform.is_paused:
            template = _("%(platform)s %(reason)s，它的回答会缺失。")
            message = template % {"platform": platform.name, "reason": describe_obstacle(platform)}
            console.print(message, style="yellow")
    if diagnosis.is_demo:
        console.print(_("演示数据，并非真实平台的回答"), style="bold yellow")
    return diagnosis


def _read_questions(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else _("不是 UTF-8")
        raise CommandError(f"--questions-file: {file}: {reason}", returncode=EXIT_INVALID_INPUT) from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _get_default_platforms(console: Console) -> list[str]:
    """Return all available real platforms; if there is none on a demo site, print that the demo platform is used."""
    healthy = [row["id"] for row in map(serialize_platform, Platform.objects.filter(is_enabled=True)) if row["healthy"]]
    real = list(Platform.objects.filter(pk__in=healthy, is_demo=False).values_list("pk", flat=True))
    if real:
        return real
    if not settings.DEMO:
        message = _("--platform: 没有可用的平台。请设置平台的密钥（例如 DEEPSEEK_API_KEY），或用 --platform 指定。")
        raise CommandError(message, returncode=EXIT_INVALID_INPUT)
    message = _("没有可用的真实平台（缺少密钥或已暂停），改用演示平台 %(platform)s：品牌和回答都是虚构的。")
    console.print(message % {"platform": FALLBACK_PLATFORM_ID}, style="bold yellow")
    return [FALLBACK_PLATFORM_ID]


_OPTION_BY_FIELD = {
    "brand": "brand",
    "aliases": "--alias",
    "competitors": "--competitor",
    "questions": "--question",
    "platforms": "--platform",
    "repeats": "--repeats",
}


def _build_input_error(fields: Mapping[str, str]) -> CommandError:
    """Build an error that names the options instead of the API's fields; positions count from 1."""
    messages = []
    for field, reason in fields.items():
        name, *path = field.split(".")
        positions = [str(int(part) + 1) for part in path if part.isdigit()]
        messages.append(f"{' '.join([_OPTION_BY_FIELD.get(name, name), *positions[:1]])}: {reason}")
    return CommandError("; ".join(messages), returncode=EXIT_INVALID_INPUT)
