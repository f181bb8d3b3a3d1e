"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from diagnosis.demo import chat_completions
from diagsite.api import api

urlpatterns = [
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("demo/v1/chat/completions", chat_completions, name="demo-platform"),
    path("", include("monitoring.urls")),
    path("", include("diagsite.page_urls")),
]

handler400 = "diagsite.error_pages.bad_request"
handler403 = "diagsite.error_pages.forbidden"
handler404 = "diagsite.error_pages.not_found"
handler500 = "diagsite.error_pages.server_error"
