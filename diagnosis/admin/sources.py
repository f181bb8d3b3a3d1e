"""The admin page of site kinds, which every report uses."""

from django.contrib import admin

from diagnosis.models import SiteClass
from errors.audit import AuditedAdmin


@admin.register(SiteClass)
class SiteClassAdmin(AuditedAdmin[SiteClass]):
    """Kinds of sites. Reports that are stored keep the kinds of their time until they are computed again."""

    list_display = ["host", "name", "kind"]
    list_filter = ["kind"]
    search_fields = ["host", "name"]
