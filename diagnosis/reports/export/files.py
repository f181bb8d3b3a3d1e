"""A report as a file to download."""

from functools import partial

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, StreamingHttpResponse

from diagnosis.reports.export.content import load_export_content
from diagnosis.reports.export.csv_file import write_csv
from diagnosis.reports.export.download import build_download_response
from diagnosis.reports.export.json_file import write_json
from diagnosis.reports.export.tables import (
    ANSWERS_TABLE,
    FIGURES_TABLE,
    JUDGEMENTS_TABLE,
    QUERIES_TABLE,
    SOURCES_TABLE,
)
from diagnosis.reports.export.workbook import write_workbook

XLSX_CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TABLES = {
    "answers": ANSWERS_TABLE,
    "figures": FIGURES_TABLE,
    "judgements": JUDGEMENTS_TABLE,
    "sources": SOURCES_TABLE,
    "queries": QUERIES_TABLE,
}


def build_csv_file(
    request: HttpRequest, user: AbstractBaseUser, diagnosis_id: str, table: str = "answers"
) -> StreamingHttpResponse:
    """Return one table as CSV. Raises NotFound, or DiagnosisRunning before the end, as the others do."""
    content = load_export_content(user, diagnosis_id)
    write = partial(write_csv, table=_TABLES[table], content=content)
    return build_download_response(request, content, f"-{table}.csv", "text/csv; charset=utf-8", write)


def build_xlsx_file(request: HttpRequest, user: AbstractBaseUser, diagnosis_id: str) -> StreamingHttpResponse:
    """Return all tables as a workbook."""
    content = load_export_content(user, diagnosis_id)
    write = partial(write_workbook, content=content)
    return build_download_response(request, content, ".xlsx", XLSX_CONTENT_TYPE, write)


def build_json_file(request: HttpRequest, user: AbstractBaseUser, diagnosis_id: str) -> StreamingHttpResponse:
    """Return the complete report with all answers as JSON."""
    content = load_export_content(user, diagnosis_id)
    return build_download_response(request, content, ".json", "application/json", partial(write_json, content=content))
