"""Rows of an uploaded XLSX workbook, bounded in bytes, decompressed bytes and rows."""

import io
import struct
import zipfile
import zlib
from typing import Any

import openpyxl
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException

MAX_PARTS = 200  # files in the archive
MAX_DECOMPRESSED_BYTES = 4 * 1024 * 1024
MAX_COLUMNS = 12

# What a reader of untrusted archives and XML raises on damaged ones; SyntaxError: a parse error of any XML library.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, InvalidFileException, SyntaxError, DefusedXmlException),
    *(OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError),
)


class UnreadableSpreadsheet(Exception):
    """The bytes are no workbook, or decompress to more than is allowed."""


def read_xlsx_rows(data: bytes, max_rows: int) -> list[list[str]]:
    """Return the cells of the first sheet as text, and at most max_rows + 1 rows. Raises UnreadableSpreadsheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()  # no more than the stated size of a part is ever decompressed
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_DECOMPRESSED_BYTES:
            raise UnreadableSpreadsheet
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()  # as stated in the file, they may be wrong
        rows = sheet.iter_rows(max_row=max_rows + 1, max_col=MAX_COLUMNS, values_only=True)
        return [["" if value is None else str(value) for value in row] for row in rows]
    except _DAMAGE as error:
        raise UnreadableSpreadsheet from error
