"""The admin page of workspaces with their members."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from diagnosis.models import Member, Workspace
from errors.audit import ReadOnlyAdmin


class _MemberInline(admin.TabularInline[Member, Workspace]):
    model = Member
    fields = ["user", "role", "joined_at"]
    readonly_fields = ["user", "role", "joined_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Workspace)
class WorkspaceAdmin(ReadOnlyAdmin[Workspace]):
    """Workspaces; only their members change them."""

    list_display = [
        "name",
        "member_count",
        "is_demo",
        "budget_calls",
        "budget_money",
        "names_version",
        "created_at",
        "deleted_at",
    ]
    list_filter = ["is_demo", "created_at", "deleted_at"]
    search_fields = ["name", "members__user__username"]
    inlines = [_MemberInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        """Count the members."""
        return super().get_queryset(request).annotate(members_total=Count("members", distinct=True))

    @admin.display(description="成员", ordering="members_total")
    def member_count(self, workspace: Workspace) -> int:
        return workspace.members_total  # type: ignore[attr-defined, no-any-return]
