"""The admin pages of accounts and roles, where staff cannot extend their own permissions."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from diagsite.models import User
from errors.audit import AuditedAdmin

SUPERUSER_ONLY_FIELDS = ["is_superuser", "user_permissions"]


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(AuditedAdmin[Group], GroupAdmin):
    """Roles; `manage.py seed` creates three and keeps changes made here."""


@admin.register(User)
class AccountAdmin(AuditedAdmin[User], UserAdmin[User]):
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
