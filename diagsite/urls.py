"""The URLs of the site."""

from django.contrib import admin
from django.urls import include, path

from diagsite.api.assembly import api

urlpatterns = [
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("demo/v1/", include("diagnosis.platforms.demo.urls")),
    path("", include("monitoring.urls")),
    path("", include("diagsite.web.urls")),
]

handler400 = "diagsite.web.error_pages.bad_request"
handler403 = "diagsite.web.error_pages.forbidden"
handler404 = "diagsite.web.error_pages.not_found"
handler500 = "diagsite.web.error_pages.server_error"
