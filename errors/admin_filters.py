"""Filters of admin lists."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone


class PeriodFilter(admin.SimpleListFilter):
    """Filter rows with `starts_at` and `ends_at` by whether now is between them."""

    title = "时间"
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", "已开始，未结束"), ("later", "未开始"), ("ended", "已结束")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        if self.value() == "current":
            return queryset.filter(starts_at__lte=now, ends_at__gt=now)
        if self.value() == "later":
            return queryset.filter(starts_at__gt=now)
        return queryset.filter(ends_at__lte=now) if self.value() == "ended" else queryset
