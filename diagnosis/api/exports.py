"""HTTP API of exports: files, and a URL for printing."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Router, Schema

from diagnosis.api.access import get_request_user, get_visible_diagnosis, get_workspace
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.reports.export import files, print_tickets
from diagnosis.reports.export.json_file import ExportOut

router = Router(tags=["exports"])


def build_file_response_schema(content_type: str) -> dict[str, Any]:
    """Return the response of a file for the schema of a route."""
    content = {content_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": "The file", "content": content}}}


@router.get(
    "/diagnoses/{diagnosis_id}/export.csv",
    openapi_extra=build_file_response_schema("text/csv"),
    summary="Export as CSV",
    operation_id="diagnosis_export_api_export_csv",
)
def export_csv(
    request: HttpRequest,
    diagnosis_id: str,
    of: Literal["answers", "figures", "judgements", "sources", "queries"] = "answers",
) -> StreamingHttpResponse:
    """Return answers, figures, what the judge found, sources or search queries as CSV, in UTF-8 with a byte order mark.

    409 while the diagnosis runs.
    """
    return files.build_csv_file(request, get_request_user(request), diagnosis_id, of)


@router.get(
    "/diagnoses/{diagnosis_id}/export.xlsx",
    openapi_extra=build_file_response_schema(files.XLSX_CONTENT_TYPE),
    summary="Export as a workbook",
    operation_id="diagnosis_export_api_export_xlsx",
)
def export_xlsx(request: HttpRequest, diagnosis_id: str) -> StreamingHttpResponse:
    """Return a workbook with all tables of the report. 409 while the diagnosis runs."""
    return files.build_xlsx_file(request, get_request_user(request), diagnosis_id)


@router.get(
    "/diagnoses/{diagnosis_id}/export.json",
    response=ExportOut,
    summary="Export as JSON",
    operation_id="diagnosis_export_api_export_json",
)
def export_json(request: HttpRequest, diagnosis_id: str) -> StreamingHttpResponse:
    """Return the complete report with all answers. 409 while the diagnosis runs."""
    return files.build_json_file(request, get_request_user(request), diagnosis_id)


class PrintOut(Schema):
    """The URL of a printable page, which needs no authentication until it expires."""

    url: str
    expires_at: datetime


@router.post(
    "/diagnoses/{diagnosis_id}/print",
    response=PrintOut,
    summary="Create a URL for printing",
    operation_id="diagnosis_export_api_prepare_print",
)
def prepare_print(request: HttpRequest, diagnosis_id: str) -> dict[str, Any]:
    """Create a URL for clients that use a token, which a browser cannot send when it opens a page.

    409 while the diagnosis runs.
    """
    diagnosis = get_visible_diagnosis(request, diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    return _build_print_url(request, f"/diagnoses/{diagnosis.pk}/print/", diagnosis.pk)


@router.post(
    "/workspaces/{workspace_id}/print",
    response=PrintOut,
    summary="Create a URL for printing the overview",
    operation_id="prepare_overview_print",
)
def prepare_overview_print(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Create a URL of the printable overview for clients that use a token."""
    workspace = get_workspace(request, workspace_id)
    return _build_print_url(request, f"/w/{workspace.pk}/print/", workspace.pk)


def _build_print_url(request: HttpRequest, path: str, subject_id: uuid.UUID) -> dict[str, Any]:
    token_id = getattr(request, "token_id", None)  # set by the authentication
    user_id = get_user_model().objects.values_list("public_id", flat=True).get(pk=get_request_user(request).pk)
    ticket = print_tickets.PrintTicket(subject_id, user_id, token_id)
    url = f"{path}?ticket={print_tickets.issue_print_ticket(ticket)}"
    return {"url": url, "expires_at": timezone.now() + timedelta(seconds=print_tickets.PRINT_TICKET_TTL_SECONDS)}
