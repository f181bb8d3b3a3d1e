"""A diagnosis in the terminal: a progress bar of its events, and its report as tables."""

import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TextIO

from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from diagnosis.choices import DiagnosisStatus
from diagnosis.reports.formatting import format_percent
from diagnosis.spending.overview import format_money

PLAIN_OUTPUT_STEP_PERCENT = 10


def create_console(stream: TextIO | None = None) -> Console:
    """Create a console without markup, because a brand may be called [red]."""
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # for terminals that cannot show Chinese
    return Console(file=stream, markup=False, highlight=False, emoji=False)


def get_status_label(status: str) -> str:
    """Return the label of a diagnosis status."""
    return str(DiagnosisStatus(status).label)


class ProgressDisplay:
    """Context manager that shows the events of a stream as a progress bar, or as lines if there is no terminal."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._title = title
        self._task_id: TaskID = self._progress.add_task(title, total=100, note="")
        self._next_line_percent = 0

    def __enter__(self) -> "ProgressDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Stop drawing, so that a prompt can use the terminal."""
        self._progress.stop()

    def resume(self) -> None:
        """Continue drawing."""
        self._progress.start()

    def show_events(self, events: Iterable[Any]) -> dict[str, Any] | None:
        """Show [seq, kind, data] events; return the data of the event `complete` if it is among them."""
        for _seq, kind, data in events:
            if kind == "progress":
                note = f"{get_status_label(data['stage'])} {data['done']}/{data['planned']}"
                if data["eta_s"]:
                    note += _("，约 %(seconds)s 秒") % {"seconds": data["eta_s"]}
                self._set_percent(data["percent"], note)
            elif kind == "error":
                self._console.print(f"  {data['platform']}: {data['copy']['title']}", style="yellow")
            elif kind == "complete":
                self._set_percent(100, get_status_label(data["status"]))
                return dict(data)
        return None

    def _set_percent(self, percent: int, note: str) -> None:
        self._progress.update(self._task_id, completed=percent, note=note)
        if not self._console.is_terminal and percent >= self._next_line_percent:
            self._console.print(f"{self._title} {percent:>3}% {note}")
            self._next_line_percent = percent - percent % PLAIN_OUTPUT_STEP_PERCENT + PLAIN_OUTPUT_STEP_PERCENT


def print_cost(console: Console, estimated: Decimal | None, actual: Decimal | None) -> None:
    """Print what a diagnosis was expected to cost and did cost, as far as it is known."""
    if estimated is not None:
        console.print(_("预计费用：约 %(money)s 元") % {"money": format_money(estimated)})
    if actual is not None:
        console.print(_("实际费用：%(money)s 元") % {"money": format_money(actual)})


def print_report(console: Console, report: dict[str, Any]) -> None:
    """Print the figures by brand and by platform, the failures, and the AI label."""
    console.print()
    if report["demo"]:
        console.print(_("演示数据，并非真实平台的回答"), style="bold yellow")
    console.print(report["verdict"]["text"], style="bold")
    console.print(_build_brand_table(report, _("%(valid)s / %(planned)s 有效") % report["unbranded"]))
    own = next(brand for brand in report["brands"] if brand["is_own"])
    table = Table(title=_("“%(brand)s”在各平台") % {"brand": own["name"]}, title_justify="left")
    table.add_column(_("平台"))
    table.add_column(_("有效 / 计划"), justify="right")
    table.add_column(_("提及率"), justify="right")
    for platform in report["platforms"]:
        figures = own["by_platform"][platform["id"]]
        mark = _("（演示）") if platform["demo"] else ""
        valid = f"{figures['valid']} / {figures['planned']}"
        table.add_row(platform["name"] + mark, valid, format_percent(figures["mention_rate"]))
    console.print(table)
    if report["recognition"]:
        template = _("另有 %(valid)s / %(planned)s 条有效回答的问题写了品牌名，单独计为“认知”，不在上面的数字里。")
        console.print(template % report["recognition"], style="dim")
    names = {platform["id"]: platform["name"] for platform in report["platforms"]}
    for failure in report["failures"]:
        console.print(f"  {names[failure['platform']]}: {failure['title']} × {failure['count']}", style="yellow")
    console.print(report["ai_label"], style="dim")


def _build_brand_table(report: dict[str, Any], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(_("品牌"))
    for heading in (_("提及率"), _("95%% 区间") % (), _("首位提及率"), _("声量份额")):
        table.add_column(heading, justify="right")
    for brand in report["brands"]:
        figures = brand["figures"]
        table.add_row(
            f"★ {brand['name']}" if brand["is_own"] else brand["name"],
            format_percent(figures["mention_rate"]),
            f"{format_percent(figures['mention_rate_low'])} – {format_percent(figures['mention_rate_high'])}",
            format_percent(figures["first_mention_rate"]),
            format_percent(figures["share_of_voice"]),
        )
    return table
