"""A table as CSV (RFC 4180): UTF-8 with the byte order mark that Excel needs, commas, every cell quoted."""

import csv
import io
from datetime import UTC, datetime
from typing import IO

import orjson

from diagnosis.reports.export import ai_labels
from diagnosis.reports.export.content import ExportContent
from diagnosis.reports.export.sanitize import escape_formula, replace_forbidden_characters
from diagnosis.reports.export.tables import CellValue, ExportTable

AIGC_COLUMN = "AIGC"  # a CSV file has no place for metadata but a column, and loses its HTTP headers when it is saved


def write_csv(file: IO[bytes], table: ExportTable, content: ExportContent) -> None:
    """Write column names and rows, each with the metadata of AI content in the last column; the file stays open."""
    aigc = ai_labels.serialize_aigc(ai_labels.build_aigc_metadata(content.report))
    text_file = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text_file, quoting=csv.QUOTE_ALL)
    writer.writerow([*table.columns, AIGC_COLUMN])
    for row in table.rows(content):
        writer.writerow([*(format_csv_cell(cell) for cell in row), aigc])
    text_file.detach()  # flushes


def format_csv_cell(cell: CellValue) -> str:
    """Format a cell: numbers unrounded, times as RFC 3339 in UTC, lists as JSON, empty if unknown."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return escape_formula(replace_forbidden_characters(orjson.dumps(cell).decode() if isinstance(cell, list) else cell))
