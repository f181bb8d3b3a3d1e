"""Addresses of the web page."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.i18n import set_language

from diagsite import pages, printed

app_name = "pages"

urlpatterns = [
    path("", pages.show_start, name="start"),
    path("diagnoses/<uuid:diagnosis_id>/", pages.show_diagnosis, name="diagnosis"),
    path("diagnoses/<uuid:diagnosis_id>/print/", printed.show_print_report, name="print"),
    path("shared/<str:token>/", printed.show_shared_report, name="shared"),
    path("history/", pages.show_history, name="history"),
    path("compare/", pages.show_comparison, name="compare"),
    path("schedules/", pages.show_schedules, name="schedules"),
    path("language/", set_language, name="language"),
    path("words.js", pages.SiteJavaScriptCatalog.as_view(), name="words"),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="pages:start"), name="logout"),
]
