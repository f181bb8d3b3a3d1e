"""Accounts. Whoever may edit accounts may not thereby become more than they are."""

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
    """The roles: `manage.py seed` makes three, and what is changed here stays."""


@admin.register(User)
class AccountAdmin(AuditedAdmin[User], UserAdmin[User]):
    """An administrator gives roles; superusers are made and touched by superusers alone."""

    list_display = ["username", "email", "is_staff", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active", "groups"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Rights beyond the roles."""
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, *SUPERUSER_ONLY_FIELDS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Else a superuser's password could be changed by who is none."""
        return super().has_change_permission(request, obj) and _can_edit_account(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The same. `manage.py forget_user` deletes what hangs on an account as well."""
        return super().has_delete_permission(request, obj) and _can_edit_account(request, obj)


def _can_edit_account(request: HttpRequest, account: User | None) -> bool:
    return account is None or not account.is_superuser or request.user.is_superuser
