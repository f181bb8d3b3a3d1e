"""The admin pages of accounts and roles, where staff cannot extend their own permissions."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest

from diagsite.models import User
from errors.audit import AuditedAdmin

PERMISSION_LABELS = {"view": "查看", "add": "增加", "change": "修改", "delete": "删除"}
SUPERUSER_ONLY_FIELDS = ["is_superuser", "user_permissions"]


admin.site.unregister(Group)


class PermissionChoiceField(forms.ModelMultipleChoiceField[Permission]):
    """Permissions with Chinese labels; Django stores English names."""

    def label_from_instance(self, permission: Any) -> str:
        """Return `app · model · what it allows`."""
        action, _separator, _model = permission.codename.partition("_")
        model = permission.content_type.model_class()
        if model is None or action not in PERMISSION_LABELS:
            return str(permission.name)
        is_default = permission.codename == f"{action}_{model._meta.model_name}"
        label = PERMISSION_LABELS[action] if is_default else permission.name
        return f"{model._meta.app_config.verbose_name} · {model._meta.verbose_name} · {label}"


class _PermissionLabelsMixin(admin.ModelAdmin[Any]):
    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Show permissions with Chinese labels."""
        if db_field.remote_field.model is Permission:
            kwargs["form_class"] = PermissionChoiceField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class RoleAdmin(AuditedAdmin[Group], _PermissionLabelsMixin, GroupAdmin):
    """Roles; `manage.py seed` creates three and keeps changes made here."""


@admin.register(User)
class AccountAdmin(AuditedAdmin[User], _PermissionLabelsMixin, UserAdmin[User]):
    """Administrators assign roles; only superusers create and edit superusers."""

    list_display = ["username", "email", "is_staff", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active", "groups"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only superusers assign permissions beyond the roles."""
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, *SUPERUSER_ONLY_FIELDS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers may edit a superuser, for example set the password."""
        return super().has_change_permission(request, obj) and _can_edit_account(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for changes. `manage.py forget_user` deletes an account with all its data."""
        return super().has_delete_permission(request, obj) and _can_edit_account(request, obj)


def _can_edit_account(request: HttpRequest, account: User | None) -> bool:
    return account is None or not account.is_superuser or request.user.is_superuser
