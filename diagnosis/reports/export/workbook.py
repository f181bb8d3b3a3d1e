"""A report as an XLSX workbook of seven sheets, written row by row with constant memory."""

from datetime import UTC, datetime
from typing import IO, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from diagnosis.choices import AnswerState, PlatformSurface, SiteKind, SourceOrigin, Ternary
from diagnosis.reports.export import ai_labels
from diagnosis.reports.export.content import ExportContent
from diagnosis.reports.export.sanitize import replace_forbidden_characters, truncate_for_excel
from diagnosis.reports.export.tables import (
    ANSWERS_TABLE,
    FAILURES_TABLE,
    FIGURES_TABLE,
    JUDGEMENTS_TABLE,
    NOTES_TABLE,
    QUERIES_TABLE,
    SOURCES_TABLE,
    CellValue,
    ExportTable,
)

DEFAULT_COLUMN_WIDTH = 14
COLUMN_WIDTHS = {"question": 36, "text": 80, "of_name": 36, "what": 20, "value": 80, "suggestion": 50, "title": 24}
COLUMN_WIDTHS |= {"host": 24, "source_title": 36, "page": 40, "url": 40, "query": 40}
COLUMN_WIDTHS |= {"quote": 40, "praise": 36, "blame": 36}

LOCAL_TIME_COLUMNS = {"answered_at"}

# Cells that hold a code in CSV hold a text here.
VALUE_LABELS: dict[str, dict[str, Any]] = {
    "state": dict(AnswerState.choices),
    "of": {
        "all": lazy("全部"),
        "platform": lazy("平台"),
        "question": lazy("问题"),
        "recognition": lazy("认知：写了品牌名的问题"),
    },
    "surface": dict(PlatformSurface.choices),
    "kind": dict(SiteKind.choices),
    "origin": dict(SourceOrigin.choices),
    "cited": dict(Ternary.choices),
    "stance": {"recommended": lazy("推荐"), "mentioned": lazy("只是提到"), "advised_against": lazy("劝人不选")},
    "sentiment": {
        "positive": lazy("正面"),
        "neutral": lazy("中性"),
        "negative": lazy("负面"),
        "unclear": lazy("不明确"),
    },
    "scope": {"these_questions": lazy("针对本问题集"), "population": lazy("针对同类问题")},
}
VALUE_LABELS["voice_scope"] = VALUE_LABELS["scope"]


def write_workbook(file: IO[bytes], content: ExportContent) -> None:
    """Write the workbook; the file stays open."""
    book = Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    report = content.report
    demo = ai_labels.get_demo_label(report["demo"])
    book.set_properties(
        {
            "title": replace_forbidden_characters(report["diagnosis"]["brand"]),
            "comments": " ".join(filter(None, [ai_labels.get_ai_label(), demo])),
            "created": content.exported_at,
        }
    )
    aigc = ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(report))
    book.set_custom_property("AIGC", aigc)
    if demo:
        book.set_custom_property("demo", demo)
    for title, table in (
        (_("说明"), NOTES_TABLE),
        (_("指标"), FIGURES_TABLE),
        (_("回答"), ANSWERS_TABLE),
        (_("评估"), JUDGEMENTS_TABLE),
        (_("来源"), SOURCES_TABLE),
        (_("搜索词"), QUERIES_TABLE),
        (_("失败原因"), FAILURES_TABLE),
    ):
        _SheetWriter(book, title, table).write(content)
    book.close()


class _SheetWriter:
    def __init__(self, book: Workbook, title: str, table: ExportTable) -> None:
        self._worksheet: Worksheet = book.add_worksheet(title)
        self._table = table
        base_format = {"valign": "top"}
        self._wrapped_format: Format = book.add_format(base_format | {"text_wrap": True})
        self._plain_format: Format = book.add_format(base_format)
        self._rate_format: Format = book.add_format(base_format | {"num_format": "0.0%"})
        self._time_format: Format = book.add_format(base_format | {"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._header_format: Format = book.add_format({"bold": True, "bottom": 1, "text_wrap": True} | base_format)

    def write(self, content: ExportContent) -> None:
        names = list(self._table.columns)
        for column, name in enumerate(names):
            self._worksheet.set_column(column, column, COLUMN_WIDTHS.get(name, DEFAULT_COLUMN_WIDTH))
        for column, title in enumerate(self._table.columns.values()):
            # A workbook has no time zones: times are those of the site, whose zone the title names.
            header = (
                f"{title}（{timezone.get_current_timezone_name()}）"
                if names[column] in LOCAL_TIME_COLUMNS
                else str(title)
            )
            self._worksheet.write_string(0, column, header, self._header_format)
        self._worksheet.freeze_panes(1, 0)
        row_number = 0
        for row_number, row in enumerate(self._table.rows(content), 1):
            for column, (name, cell) in enumerate(zip(names, row, strict=True)):
                self._write_cell(row_number, column, name, cell)
        if row_number:
            self._worksheet.autofilter(0, 0, row_number, len(names) - 1)

    def _write_cell(self, row: int, column: int, name: str, cell: CellValue) -> None:
        if cell is None:
            return
        if isinstance(cell, bool):
            self._worksheet.write_boolean(row, column, cell, self._plain_format)
        elif isinstance(cell, int | float):
            is_rate = "_rate" in name or name.startswith("share_of_voice")
            self._worksheet.write_number(row, column, cell, self._rate_format if is_rate else self._plain_format)
        elif isinstance(cell, datetime):
            local_time = timezone.localtime(cell.astimezone(UTC)).replace(tzinfo=None)
            self._worksheet.write_datetime(row, column, local_time, self._time_format)
        else:
            # write_string never turns the text into a formula or a link.
            text = "、".join(cell) if isinstance(cell, list) else str(VALUE_LABELS.get(name, {}).get(cell, cell))
            text = truncate_for_excel(replace_forbidden_characters(text), _("…（单元格放不下，全文见 CSV 或 JSON）"))
            self._worksheet.write_string(row, column, text, self._wrapped_format)
