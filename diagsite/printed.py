"""The report on paper: for its owner, and for whoever was given a link."""

from typing import Any
from uuid import UUID

import orjson
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from diagnosis import cached
from diagnosis.access import visible_report
from diagnosis.export.content import answers_of
from diagnosis.export.tickets import is_good_ticket
from diagnosis.models import Answer, Diagnosis
from diagnosis.printing import page_of
from diagnosis.sharing.links import open_link
from diagsite.error_pages import tell_error
from errors.exceptions import AppError, NotFound
from errors.problems import locale_now

# Whoever has the address of such a page has the page: no search engine, no next site and no cache may learn it.
HEADERS = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
SHOWN = ("question_id", "platform_id", "repeat", "state", "text", "model", "mentions", "error_code", "is_demo")


@require_safe
def show_printed(request: HttpRequest, diagnosis_id: UUID) -> HttpResponse:
    """For who is signed in and may see it, and for who comes with a ticket of the API."""
    answers = _Answers(diagnosis_id)
    try:
        if is_good_ticket(request.GET.get("ticket", ""), diagnosis_id):
            report = cached.report_of(diagnosis_id, locale_now(), answers.texts)
        elif not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        else:
            report = visible_report(request.user, diagnosis_id, answers.texts)
    except Diagnosis.DoesNotExist:
        return tell_error(request, NotFound())
    except AppError as error:
        return tell_error(request, error)
    return _page(request, report, answers, is_shared=False)


@require_safe
def show_shared(request: HttpRequest, token: str) -> HttpResponse:
    """For whoever has the link. Forged, expired, revoked, deleted: the same page, so that nobody can tell which."""
    diagnosis_id = open_link(token)
    if diagnosis_id is None:
        return _gone(request)
    answers = _Answers(diagnosis_id)
    try:
        report = cached.report_of(diagnosis_id, locale_now(), answers.texts)
    except Diagnosis.DoesNotExist:  # deleted since
        return _gone(request)
    return _page(request, report, answers, is_shared=True)


class _Answers:
    """Read once, by who wants them first: the report for its quotes, or the page."""

    def __init__(self, diagnosis_id: UUID) -> None:
        self._diagnosis_id = diagnosis_id
        self._rows: list[Answer] | None = None

    def rows(self) -> list[Answer]:
        if self._rows is None:
            self._rows = list(answers_of(self._diagnosis_id).only(*SHOWN))
        return self._rows

    def texts(self, _wanted: Any) -> dict[str, str]:
        return {str(answer.pk): answer.text for answer in self.rows()}


def _page(request: HttpRequest, report: cached.Report, answers: _Answers, *, is_shared: bool) -> HttpResponse:
    context = page_of(orjson.loads(report["body"]), answers.rows()) | {"is_shared": is_shared}
    return _with_headers(render(request, "site/print.html", context))


def _gone(request: HttpRequest) -> HttpResponse:
    return _with_headers(render(request, "site/share_unavailable.html", status=404))


def _with_headers(response: HttpResponse) -> HttpResponse:
    for name, value in HEADERS.items():
        response[name] = value
    return response
