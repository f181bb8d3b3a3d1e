"""The pages of a workspace with their navigation."""

from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from diagnosis.choices import SiteKind
from diagnosis.workspaces.members import find_invitation
from diagsite.web.views import REPEAT_CHOICES, render_page


class WorkspacePage(NamedTuple):
    """A page of a workspace: the template in `site/workspace/`, its title, and the end of its address.

    preloaded: the end of the URLs in `/api/workspaces/<id>/` that its script requests first.
    """

    name: str
    title: Promise
    path: str
    preloaded: tuple[str, ...] = ()

    @property
    def url_name(self) -> str:
        """Return the name of the URL pattern."""
        return f"workspace_{self.name}"


# In the order of the navigation; urls.py has an address for each.
WORKSPACE_PAGES = (
    WorkspacePage("overview", _("概览"), "", ("overview",)),
    WorkspacePage("runs", _("历次诊断"), "runs/"),
    WorkspacePage("questions", _("问题库"), "questions/"),
    WorkspacePage("competitors", _("竞品与名称"), "competitors/"),
    WorkspacePage("sources", _("来源"), "sources/"),
    WorkspacePage("actions", _("待办"), "actions/"),
    WorkspacePage("settings", _("设置"), "settings/"),
)


@require_safe
@cache_control(private=True, no_cache=True)
def show_workspace_page(request: HttpRequest, workspace_id: UUID, page: WorkspacePage) -> HttpResponse:
    """Show a page of a workspace; the API checks access."""
    return render_page(
        request,
        f"workspace/{page.name}",
        preloaded=[f"/api/workspaces/{workspace_id}/{path}" for path in page.preloaded],
        workspace_id=workspace_id,
        workspace_page=page,
        workspace_pages=WORKSPACE_PAGES,
        repeats=REPEAT_CHOICES,
        site_kinds=SiteKind.choices,
    )


@require_safe
@cache_control(private=True, no_store=True)
def show_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show what an invitation is to; only the button on the page, a POST to the API, accepts it."""
    invitation = find_invitation(token)
    response = render_page(request, "join", invitation=invitation, token=token)
    if invitation is None and response.status_code == HTTPStatus.OK:
        response.status_code = HTTPStatus.NOT_FOUND
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response
