"""The web pages, which the browser fills from the API, and the translations of their scripts."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

from diagnosis.choices import DiagnosisStatus
from diagsite.legal.documents import DocumentName, load_document
from diagsite.models import Feedback
from diagsite.web.error_pages import build_error_response
from diagsite.web.preloading import preload
from diagsite.web.report_sections import REPORT_SECTIONS
from errors.exceptions import NotFound

REPEAT_CHOICES = range(1, 6)

WEEKDAY_LABELS = [_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日")]

PLACEHOLDER_DIAGNOSIS_ID = UUID(int=0)


def render_page(request: HttpRequest, page_name: str, *, preloaded: Iterable[str] = (), **context: Any) -> HttpResponse:
    """Render a page; on a site without demo only for signed-in users.

    preloaded: what its script requests first from the API; the answers are in the page.
    """
    if not settings.DEMO and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    config = {
        "demo": settings.DEMO,
        "signed_in": request.user.is_authenticated,
        "csrf_token": get_token(request),
        "language": get_language(),
        "preloaded": preload(request, preloaded),
        "urls": {
            "start": reverse("pages:start"),
            "history": reverse("pages:history"),
            "compare": reverse("pages:compare"),
            "schedules": reverse("pages:schedules"),
            "feedback": reverse("pages:feedback"),
            "workspaces": reverse("pages:workspaces"),
            "diagnosis": reverse("pages:diagnosis", args=[PLACEHOLDER_DIAGNOSIS_ID]).replace(
                str(PLACEHOLDER_DIAGNOSIS_ID), "{id}"
            ),
            "login": resolve_url(settings.LOGIN_URL),
        },
    }
    context |= {"current": page_name, "config": config}
    response = render(request, f"site/{page_name}.html", context)
    if config["preloaded"]:
        # As the API's own answers: never stored, and fresh after a step back.
        patch_cache_control(response, no_store=True)
    return response


class SiteJavaScriptCatalog(JavaScriptCatalog):
    """The translations of static/site/*.js, without those of Django's admin."""

    packages = ["site"]

    def get_paths(self, packages: list[str]) -> list[str]:
        """Return the directories of the translations."""
        return [str(path) for path in settings.LOCALE_PATHS]


@require_safe
@cache_control(private=True, no_cache=True)
def show_start(request: HttpRequest) -> HttpResponse:
    """Show the form of a new diagnosis."""
    return render_page(
        request, "start", preloaded=["/api/platforms", "/api/diagnoses", "/api/consent"], repeats=REPEAT_CHOICES
    )


@require_safe
@cache_control(private=True, no_cache=True)
def show_diagnosis(request: HttpRequest, diagnosis_id: UUID) -> HttpResponse:
    """Show the progress and the report of a diagnosis; the API checks access."""
    *sections, trend = REPORT_SECTIONS
    url = f"/api/diagnoses/{diagnosis_id}"
    preloaded = [url, *(f"{url}/{part}" for part in ("report", "corrections", "trend"))]
    return render_page(
        request, "diagnosis", preloaded=preloaded, diagnosis_id=diagnosis_id, sections=sections, trend=trend
    )


@require_safe
@cache_control(private=True, no_cache=True)
def show_history(request: HttpRequest) -> HttpResponse:
    """List past diagnoses."""
    preloaded = [] if request.GET else ["/api/diagnoses"]
    return render_page(request, "history", preloaded=[*preloaded, "/api/notices"], statuses=DiagnosisStatus.choices)


@require_safe
@cache_control(private=True, no_cache=True)
def show_comparison(request: HttpRequest) -> HttpResponse:
    """Compare two diagnoses; the API checks access."""
    return render_page(request, "compare")


@require_safe
@cache_control(private=True, no_cache=True)
def show_workspaces(request: HttpRequest) -> HttpResponse:
    """List the workspaces of the caller."""
    return render_page(request, "workspaces", preloaded=["/api/workspaces"])


@require_safe
@cache_control(private=True, no_cache=True)
def show_new_workspace(request: HttpRequest) -> HttpResponse:
    """Show the form that names a brand and starts its first run."""
    return render_page(request, "workspace_new", repeats=REPEAT_CHOICES)


@require_safe
@cache_control(private=True, no_cache=True)
def show_schedules(request: HttpRequest) -> HttpResponse:
    """Show the schedules and their costs."""
    return render_page(request, "schedules", weekdays=enumerate(WEEKDAY_LABELS), days=range(1, 32))


@require_safe
@cache_control(private=True, no_cache=True)
def show_account(request: HttpRequest) -> HttpResponse:
    """Show the links to the documents, the models in use, and the deletion of the account."""
    return render_page(request, "account")


@require_safe
@cache_control(private=True, no_cache=True)
def show_feedback(request: HttpRequest) -> HttpResponse:
    """Show the form of feedback, complaints and reports, and the user's entries."""
    return render_page(request, "feedback", kinds=Feedback.Kind.choices, reasons=Feedback.Reason.choices)


@require_safe
@cache_control(private=True, no_cache=True)
def show_legal_document(request: HttpRequest, name: str) -> HttpResponse:
    """Show the user agreement or the privacy policy to everyone."""
    if name not in list(DocumentName):
        return build_error_response(request, NotFound())
    return render(request, "site/legal.html", {"document": load_document(DocumentName(name))})
