"""A report as a workbook of four sheets. Each row is written to the disk as it comes, so that memory holds only one."""

from datetime import UTC, datetime
from typing import IO, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from diagnosis.choices import AnswerState
from diagnosis.export import labels
from diagnosis.export.cells import clean, fit
from diagnosis.export.content import Content
from diagnosis.export.tables import ANSWERS, FAILURES, FIGURES, NOTES, Cell, Table

WIDTH, WIDTHS = 14, {"question": 36, "text": 80, "of_name": 36, "what": 20, "value": 80, "suggestion": 50, "title": 24}

# What is a code for programs is a word here.
WORDS: dict[str, dict[str, Any]] = {
    "state": dict(AnswerState.choices),
    "of": {"all": lazy("全部"), "platform": lazy("平台"), "question": lazy("问题")},
    "scope": {"these_questions": lazy("针对本问题集"), "population": lazy("针对同类问题")},
}
WORDS["voice_scope"] = WORDS["scope"]


def write_workbook(file: IO[bytes], content: Content) -> None:
    """Write the workbook; the file stays open."""
    book = Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    _set_properties(book, content)
    for title, table in _sheets():
        _Sheet(book, title, table).write(content)
    book.close()


def _sheets() -> list[tuple[str, Table]]:
    return [(_("说明"), NOTES), (_("指标"), FIGURES), (_("回答"), ANSWERS), (_("失败原因"), FAILURES)]


def _set_properties(book: Workbook, content: Content) -> None:
    """The marks in the file's metadata."""
    report = content.report
    demo = labels.demo_label(report["demo"])
    book.set_properties(
        {
            "title": clean(report["diagnosis"]["brand"]),
            "comments": " ".join(filter(None, [labels.ai_label(), demo])),
            "created": content.exported_at,
        }
    )
    book.set_custom_property("AIGC", clean(labels.as_text(labels.aigc_of(report))))
    if demo:
        book.set_custom_property("demo", demo)


class _Sheet:
    def __init__(self, book: Workbook, title: str, table: Table) -> None:
        self._sheet: Worksheet = book.add_worksheet(title)
        self._table = table
        top = {"valign": "top"}
        self._wrapped: Format = book.add_format(top | {"text_wrap": True})
        self._plain: Format = book.add_format(top)
        self._rate: Format = book.add_format(top | {"num_format": "0.0%"})
        self._time: Format = book.add_format(top | {"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._head: Format = book.add_format({"bold": True, "bottom": 1, "text_wrap": True} | top)

    def write(self, content: Content) -> None:
        names = list(self._table.columns)
        for column, name in enumerate(names):
            self._sheet.set_column(column, column, WIDTHS.get(name, WIDTH))
        for column, title in enumerate(self._table.columns.values()):
            self._sheet.write_string(0, column, str(title), self._head)
        self._sheet.freeze_panes(1, 0)
        last = 0
        for last, row in enumerate(self._table.rows(content), 1):
            for column, (name, cell) in enumerate(zip(names, row, strict=True)):
                self._write(last, column, name, cell)
        if last:
            self._sheet.autofilter(0, 0, last, len(names) - 1)

    def _write(self, row: int, column: int, name: str, cell: Cell) -> None:
        if cell is None:
            return
        if isinstance(cell, bool):
            self._sheet.write_boolean(row, column, cell, self._plain)
        elif isinstance(cell, int | float):
            self._sheet.write_number(row, column, cell, self._rate if _is_rate(name) else self._plain)
        elif isinstance(cell, datetime):
            self._sheet.write_datetime(row, column, _local(cell), self._time)
        else:
            # A string and nothing else: neither a formula nor an address, whatever it begins with.
            text = "、".join(cell) if isinstance(cell, list) else str(WORDS.get(name, {}).get(cell, cell))
            ending = _("…（单元格放不下，全文见 CSV 或 JSON）")
            self._sheet.write_string(row, column, fit(clean(text), ending), self._wrapped)


def _is_rate(name: str) -> bool:
    return "_rate" in name or name.startswith("share_of_voice")


def _local(moment: datetime) -> datetime:
    """On the clock of the site: a workbook knows no time zones."""
    return timezone.localtime(moment.astimezone(UTC)).replace(tzinfo=None)
