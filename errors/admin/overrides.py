"""Admin of temporary messages. They apply at once, so editing them requires the permission to publish."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from errors.admin.copies import PUBLISH_PERMISSION, get_author
from errors.admin_filters import PeriodFilter
from errors.audit import AuditedAdmin
from errors.models import CopyOverride, load_platform_names


class OverrideForm(forms.ModelForm[CopyOverride]):
    """The platform is selected from those that exist."""

    class Meta:
        model = CopyOverride
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "platform" not in self.fields:
            return  # read-only
        choices = [("", "所有平台"), *((key, f"{name}（{key}）") for key, name in load_platform_names().items())]
        current = self.instance.platform
        if current and current not in dict(choices):
            choices.append((current, f"{current}（已不存在）"))
        self.fields["platform"].widget = forms.Select(choices=choices)


@admin.register(CopyOverride)
class CopyOverrideAdmin(AuditedAdmin[CopyOverride]):
    """Their list can be restricted to those in effect."""

    form = OverrideForm
    list_display = ["code", "locale", "platform", "title", "state", "starts_at", "ends_at", "author", "reason"]
    list_filter = [PeriodFilter, "code", "locale", "platform"]
    list_select_related = ["author"]
    date_hierarchy = "starts_at"

    @admin.display(description="状态")
    def state(self, override: CopyOverride) -> str:
        now = timezone.now()
        if override.ends_at <= now:
            return "已结束"
        return "生效中" if override.starts_at <= now else "未开始"

    def save_model(self, request: HttpRequest, obj: CopyOverride, form: Any, change: bool) -> None:
        obj.author_id = get_author(request).pk
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(PUBLISH_PERMISSION))

    def has_change_permission(self, request: HttpRequest, obj: CopyOverride | None = None) -> bool:
        return bool(request.user.has_perm(PUBLISH_PERMISSION))

    def has_delete_permission(self, request: HttpRequest, obj: CopyOverride | None = None) -> bool:
        return bool(request.user.has_perm(PUBLISH_PERMISSION))
