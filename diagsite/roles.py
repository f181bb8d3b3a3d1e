"""The roles of staff: groups that `manage.py seed` creates and that operators may change."""

from collections import Counter

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from diagsite.models import Role


def _build_permission_names(app: str, model: str, *actions: str) -> frozenset[str]:
    return frozenset(f"{app}.{action}_{model}" for action in actions)


_ALL_ACTIONS = ("view", "add", "change", "delete")

EDITOR_PERMISSIONS = (
    _build_permission_names("errors", "errorcopy", "view", "change", "publish")
    | _build_permission_names("errors", "copyrevision", "view")
    | _build_permission_names("errors", "copyoverride", *_ALL_ACTIONS)
    | _build_permission_names("errors", "errorevent", "view")
    | _build_permission_names("errors", "errorcount", "view")
)
OPERATOR_PERMISSIONS = (
    _build_permission_names("monitoring", "rule", *_ALL_ACTIONS)
    | _build_permission_names("monitoring", "rulestate", "view")
    | _build_permission_names("monitoring", "channel", *_ALL_ACTIONS)
    | _build_permission_names("monitoring", "silence", *_ALL_ACTIONS)
    | _build_permission_names("monitoring", "alert", "view", "acknowledge")
    | _build_permission_names("monitoring", "delivery", "view", "change")
    | _build_permission_names("errors", "errorevent", "view")
    | _build_permission_names("diagnosis", "platform", "view")
    | _build_permission_names("diagnosis", "dailyspending", "view")
    | _build_permission_names("diagnosis", "budgetuse", "view")
)
ADMINISTRATOR_PERMISSIONS = (
    EDITOR_PERMISSIONS
    | OPERATOR_PERMISSIONS
    | _build_permission_names("diagsite", "user", "view", "add", "change")
    | _build_permission_names("diagsite", "feedback", "view", "change")
    | _build_permission_names("diagsite", "consent", "view")
    | _build_permission_names("auth", "group", "view")
    | _build_permission_names("admin", "logentry", "view")
    | _build_permission_names("axes", "accessattempt", "view", "delete")
    | _build_permission_names("diagnosis", "platform", *_ALL_ACTIONS)
    | _build_permission_names("diagnosis", "siteclass", *_ALL_ACTIONS)
    | _build_permission_names("diagnosis", "diagnosis", "view", "change")
    | _build_permission_names("diagnosis", "answer", "view")
    | _build_permission_names("diagnosis", "brand", "view")
    | _build_permission_names("diagnosis", "question", "view")
    | _build_permission_names("diagnosis", "correction", "view")
    | _build_permission_names("diagnosis", "schedule", "view", "change")
    | _build_permission_names("diagnosis", "workspace", "view")
    | _build_permission_names("diagnosis", "member", "view")
    | _build_permission_names("diagnosis", "paidcall", "view")
    | _build_permission_names("diagnosis", "accountbudget", *_ALL_ACTIONS)
    | _build_permission_names("diagnosis", "sharelink", "view", "delete")
    | _build_permission_names("diagnosis", "legacyrecord", "view")
    | _build_permission_names("diagnosis", "repairrun", "view")
    | _build_permission_names("diagnosis", "repairchange", "view")
    | _build_permission_names("progress", "stream", "view")
    | _build_permission_names("progress", "pushprocess", "view")
    | _build_permission_names("procrastinate", "procrastinatejob", "view", "change")
    | _build_permission_names("procrastinate", "procrastinateevent", "view")
)

# {role: (name of the group, permissions)}
ROLES = {
    "editor": ("文案编辑", EDITOR_PERMISSIONS),
    "operator": ("告警运维", OPERATOR_PERMISSIONS),
    "administrator": ("管理员", ADMINISTRATOR_PERMISSIONS),
}


def seed_roles() -> Counter[str]:
    """Add missing groups and update those that operators have not changed.

    Returns counts: added, updated, kept (changed by an operator), deleted (by an operator, not added again).
    """
    counts: Counter[str] = Counter(added=0, updated=0, kept=0, deleted=0)
    for name, (group_name, permissions) in ROLES.items():
        with transaction.atomic():
            role, is_new = Role.objects.select_for_update().get_or_create(name=name)
            if is_new:
                role.group, _is_new_group = Group.objects.get_or_create(name=group_name)
                outcome = "added"
            elif role.group is None:
                outcome = "deleted"
            elif role.permissions == sorted(permissions):
                continue
            else:
                is_changed = get_permission_names(role.group) != set(role.permissions)
                outcome = "kept" if is_changed else "updated"
            if role.group and outcome in ("added", "updated"):
                existing = {
                    f"{permission.content_type.app_label}.{permission.codename}": permission
                    for permission in Permission.objects.select_related("content_type")
                }
                role.group.permissions.set([existing[permission] for permission in permissions])
                role.permissions = sorted(permissions)
                role.save()
            counts[outcome] += 1
    return counts


def get_permission_names(group: Group) -> set[str]:
    """Return `app.codename` of each permission of a group."""
    return {f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")}
