"""URLs of the web pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.i18n import set_language

from diagsite.web import print_views, views
from diagsite.web.workspace_pages import WORKSPACE_PAGES, show_invitation, show_workspace_page

app_name = "pages"

urlpatterns = [
    path("", views.show_start, name="start"),
    path("diagnoses/<uuid:diagnosis_id>/", views.show_diagnosis, name="diagnosis"),
    path("diagnoses/<uuid:diagnosis_id>/print/", print_views.show_print_report, name="print"),
    path("diagnoses/<uuid:diagnosis_id>/export.<str:extension>", print_views.download_export, name="export"),
    path("w/<uuid:workspace_id>/print/", print_views.show_print_overview, name="print_overview"),
    path("shared/brand/<str:token>/", print_views.show_shared_overview, name="shared_overview"),
    path("join/<str:token>/", show_invitation, name="join"),
    path("shared/<str:token>/", print_views.show_shared_report, name="shared"),
    path("history/", views.show_history, name="history"),
    path("compare/", views.show_comparison, name="compare"),
    path("schedules/", views.show_schedules, name="schedules"),
    path("w/", views.show_workspaces, name="workspaces"),
    path("w/new/", views.show_new_workspace, name="workspace_new"),
    *(
        path(f"w/<uuid:workspace_id>/{page.path}", show_workspace_page, {"page": page}, name=page.url_name)
        for page in WORKSPACE_PAGES
    ),
    path("account/", views.show_account, name="account"),
    path("feedback/", views.show_feedback, name="feedback"),
    path("legal/<str:name>/", views.show_legal_document, name="legal"),
    path("language/", set_language, name="language"),
    path("words.js", views.SiteJavaScriptCatalog.as_view(), name="words"),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="pages:start"), name="logout"),
]
