"""What staff may do, by role: groups that `manage.py seed` makes, and that operators may change as they like."""

from collections import Counter
from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet

from diagsite.models import Role


def _may(app: str, model: str, *actions: str) -> frozenset[str]:
    return frozenset(f"{app}.{action}_{model}" for action in actions)


_ALL = ("view", "add", "change", "delete")

EDITOR = (
    _may("errors", "errorcopy", "view", "change", "publish")
    | _may("errors", "copyrevision", "view")
    | _may("errors", "copyoverride", *_ALL)
    | _may("errors", "errorevent", "view")
    | _may("errors", "errorcount", "view")
)
OPERATOR = (
    _may("monitoring", "rule", *_ALL)
    | _may("monitoring", "rulestate", "view")
    | _may("monitoring", "channel", *_ALL)
    | _may("monitoring", "silence", *_ALL)
    | _may("monitoring", "alert", "view", "acknowledge")
    | _may("monitoring", "delivery", "view", "change")
    | _may("errors", "errorevent", "view")
    | _may("diagnosis", "platform", "view")
)
ADMINISTRATOR = (
    EDITOR
    | OPERATOR
    | _may("diagsite", "user", "view", "add", "change")
    | _may("auth", "group", "view")
    | _may("admin", "logentry", "view")
    | _may("axes", "accessattempt", "view", "delete")
    | _may("diagnosis", "platform", *_ALL)
    | _may("diagnosis", "diagnosis", "view", "change")
    | _may("diagnosis", "answer", "view")
    | _may("diagnosis", "brand", "view")
    | _may("diagnosis", "question", "view")
    | _may("diagnosis", "correction", "view")
    | _may("diagnosis", "schedule", "view", "change")
    | _may("diagnosis", "sharelink", "view", "delete")
    | _may("diagnosis", "legacyrecord", "view")
    | _may("diagnosis", "repairrun", "view")
    | _may("diagnosis", "repairchange", "view")
    | _may("progress", "stream", "view")
    | _may("progress", "pushprocess", "view")
    | _may("procrastinate", "procrastinatejob", "view", "change")
    | _may("procrastinate", "procrastinateevent", "view")
)

# name of the role -> (name of the group, what it may)
ROLES = {
    "editor": ("文案编辑", EDITOR),
    "operator": ("告警运维", OPERATOR),
    "administrator": ("管理员", ADMINISTRATOR),
}


def seed_roles() -> Counter[str]:
    """Add the groups that are missing and update those that nobody has touched; returns how many of each.

    Counts: added, updated, kept (an operator's), deleted (by an operator, and left so).
    """
    counts: Counter[str] = Counter(added=0, updated=0, kept=0, deleted=0)
    for name, (words, wanted) in ROLES.items():
        with transaction.atomic():
            outcome = _seed(name, words, wanted)
        if outcome:
            counts[outcome] += 1
    return counts


def _seed(name: str, words: str, wanted: frozenset[str]) -> str:
    role, is_new = Role.objects.select_for_update().get_or_create(name=name)
    if is_new:
        role.group, _made = Group.objects.get_or_create(name=words)
        _give(role, wanted)
        return "added"
    if role.group is None:
        return "deleted"
    if role.permissions == sorted(wanted):
        return ""
    if permissions_of(role.group) != set(role.permissions):
        return "kept"
    _give(role, wanted)
    return "updated"


def _give(role: Role, wanted: frozenset[str]) -> None:
    assert role.group
    role.group.permissions.set(_permissions(wanted))
    role.permissions = sorted(wanted)
    role.save()


def permissions_of(group: Group) -> set[str]:
    """`app.codename` of each of its permissions."""
    return {f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")}


def _permissions(names: Iterable[str]) -> QuerySet[Permission]:
    """Those of the names. Raises LookupError for one that no model has."""
    wanted = Q(pk=None)
    for name in names:
        app, _dot, code = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=code)
    found = Permission.objects.filter(wanted)
    known = {f"{app}.{code}" for app, code in found.values_list("content_type__app_label", "codename")}
    if unknown := sorted(set(names) - known):
        raise LookupError(f"no such permissions: {', '.join(unknown)}")
    return found
