"""Print views of a report and of an overview: for those who may see it, and for a share link."""

from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from diagnosis.models import Answer, Diagnosis, Workspace
from diagnosis.reports import cache
from diagnosis.reports.export import files
from diagnosis.reports.export.content import get_ordered_answers
from diagnosis.reports.export.print_tickets import read_print_ticket
from diagnosis.reports.print_context import build_print_context
from diagnosis.sharing.links import open_link, open_overview_link
from diagnosis.trends.service import build_trend
from diagnosis.workspaces.overview_texts import build_overview_print_context
from diagsite.accounts.tokens import Access, find_ended
from diagsite.models import User
from diagsite.web.error_pages import build_error_response
from errors.exceptions import AppError, NotFound
from errors.problems import get_current_locale

# The URL gives access to the page, so it must not reach search engines, other sites or caches.
PRIVATE_PAGE_HEADERS = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
EXPORTS = {"csv": files.build_csv_file, "xlsx": files.build_xlsx_file, "json": files.build_json_file}
PRINTED_ANSWER_FIELDS = (
    "question_id",
    "platform_id",
    "repeat",
    "state",
    "text",
    "model",
    "mentions",
    "is_demo",
    "is_truncated",
    "surface",
    "search_happened",
)


_Response = TypeVar("_Response", bound=HttpResponseBase)


@require_safe
def show_print_report(request: HttpRequest, diagnosis_id: UUID) -> HttpResponse:
    """Show a report to a user who may see it, or with a print ticket of the API."""
    answers = _LazyAnswers(diagnosis_id)
    try:
        ticket_user = _get_ticket_user(request, diagnosis_id)
        if ticket_user:
            report = cache.get_visible_report(ticket_user, diagnosis_id, answers.texts)
        elif not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        else:
            report = cache.get_visible_report(request.user, diagnosis_id, answers.texts)
    except AppError as error:
        return build_error_response(request, error)
    return _render_report(request, report, answers, is_shared=False)


@require_safe
def download_export(request: HttpRequest, diagnosis_id: UUID, extension: str) -> HttpResponseBase:
    """Return a report as a file, for a link with a print ticket: a mini-program cannot hand a file to a browser."""
    export = EXPORTS.get(extension)
    user = _get_ticket_user(request, diagnosis_id) or request.user
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    try:
        if export is None:
            raise NotFound
        return _add_private_headers(export(request, user, str(diagnosis_id)))
    except AppError as error:
        return build_error_response(request, error)


def _get_ticket_user(request: HttpRequest, subject_id: UUID) -> User | None:
    """Return the user of the print ticket, if they still have the access with which they got it."""
    ticket = read_print_ticket(request.GET.get("ticket", ""))
    if ticket is None or ticket.subject_id != subject_id:
        return None
    user = User.objects.filter(public_id=ticket.user_id).first()
    return user if user and not find_ended({Access(user.pk, ticket.token_id)}) else None


@require_safe
def show_shared_report(request: HttpRequest, token: str) -> HttpResponse:
    """Show a report by a share link. Forged, expired, revoked and deleted links get the same page."""
    diagnosis_id = open_link(token, is_counted=request.method == "GET")
    if diagnosis_id is None:
        return _render_gone(request)
    answers = _LazyAnswers(diagnosis_id)
    try:
        report = cache.get_cached_report(diagnosis_id, get_current_locale(), answers.texts)
    except Diagnosis.DoesNotExist:  # deleted meanwhile
        return _render_gone(request)
    return _render_report(request, report, answers, is_shared=True)


@require_safe
def show_print_overview(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Show the overview of a workspace to a member, or with a print ticket of the API."""
    user = _get_ticket_user(request, workspace_id) or request.user
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    workspace = Workspace.objects.visible_to(user).filter(pk=workspace_id).first()
    return _render_overview(request, workspace) if workspace else build_error_response(request, NotFound())


@require_safe
def show_shared_overview(request: HttpRequest, token: str) -> HttpResponse:
    """Show an overview by a share link, which leads nowhere else. All links that do not work get the same page."""
    workspace = open_overview_link(token, is_counted=request.method == "GET")
    return _render_overview(request, workspace, is_shared=True) if workspace else _render_gone(request)


def _render_overview(request: HttpRequest, workspace: Workspace, *, is_shared: bool = False) -> HttpResponse:
    context = build_overview_print_context(workspace) | {"is_shared": is_shared}
    return _add_private_headers(render(request, "site/print_overview.html", context))


class _LazyAnswers:
    """Answers that are read once, on first use: by the report for its quotes, or by the page."""

    def __init__(self, diagnosis_id: UUID) -> None:
        self._diagnosis_id = diagnosis_id
        self._rows: list[Answer] | None = None

    def rows(self) -> list[Answer]:
        if self._rows is None:
            self._rows = list(get_ordered_answers(self._diagnosis_id).only(*PRINTED_ANSWER_FIELDS))
        return self._rows

    def texts(self, _wanted: Any) -> dict[str, str]:
        return {str(answer.pk): answer.text for answer in self.rows()}


def _render_report(
    request: HttpRequest, report: cache.CachedReport, answers: _LazyAnswers, *, is_shared: bool
) -> HttpResponse:
    body = orjson.loads(report["body"])
    diagnosis = Diagnosis.objects.defer("report").select_related("owner").get(pk=body["diagnosis"]["id"])
    context = build_print_context(
        body,
        answers.rows(),
        named=diagnosis.brands.all(),
        corrections=diagnosis.corrections.all(),
        trend=build_trend(diagnosis, diagnosis.owner),
    ) | {"is_shared": is_shared}
    return _add_private_headers(render(request, "site/print.html", context))


def _render_gone(request: HttpRequest) -> HttpResponse:
    return _add_private_headers(render(request, "site/share_unavailable.html", status=404))


def _add_private_headers(response: _Response) -> _Response:
    for name, value in PRIVATE_PAGE_HEADERS.items():
        response[name] = value
    return response
