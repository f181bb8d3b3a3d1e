"""The roles of staff: seeding, changes by operators, and no extension of own permissions."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from diagsite.models import Role, User
from diagsite.roles import (
    ADMINISTRATOR_PERMISSIONS,
    EDITOR_PERMISSIONS,
    OPERATOR_PERMISSIONS,
    get_permission_names,
    seed_roles,
)
from monitoring.models import Silence
from testing.data.access import create_actor_users
from testing.data.diagnoses import make_platform

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, User]:
    seed_roles()
    return create_actor_users()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_seed_creates_three_roles() -> None:
    assert seed_roles() == {"added": 3, "updated": 0, "kept": 0, "deleted": 0}
    for name, wanted in (
        ("文案编辑", EDITOR_PERMISSIONS),
        ("告警运维", OPERATOR_PERMISSIONS),
        ("管理员", ADMINISTRATOR_PERMISSIONS),
    ):
        assert get_permission_names(Group.objects.get(name=name)) == wanted
    assert seed_roles() == {"added": 0, "updated": 0, "kept": 0, "deleted": 0}


def test_unchanged_role_is_updated() -> None:
    seed_roles()
    role = Role.objects.select_related("group").get(name="editor")
    assert role.group
    role.group.permissions.remove(Permission.objects.get(codename="view_errorcount"))
    role.permissions = sorted(get_permission_names(role.group))
    role.save()
    assert seed_roles()["updated"] == 1
    assert get_permission_names(role.group) == EDITOR_PERMISSIONS


def test_changed_role_is_kept() -> None:
    seed_roles()
    renamed, deleted = Group.objects.get(name="文案编辑"), Group.objects.get(name="告警运维")
    renamed.name = "文案"
    renamed.save()
    renamed.permissions.remove(Permission.objects.get(codename="publish_errorcopy"))
    deleted.delete()
    Role.objects.filter(name="editor").update(permissions=sorted(EDITOR_PERMISSIONS - {"errors.view_errorcount"}))
    assert seed_roles() == {"added": 0, "updated": 0, "kept": 1, "deleted": 1}
    assert get_permission_names(renamed) == EDITOR_PERMISSIONS - {"errors.publish_errorcopy"}
    assert not Group.objects.filter(name__in=["文案编辑", "告警运维"]).exists()


def test_read_only_pages_link_only_to_what_a_role_may_open(people: dict[str, User]) -> None:
    silence = Silence.objects.create(
        comment="s", starts_at=timezone.now(), ends_at=timezone.now() + timedelta(hours=1), author=people["admin"]
    )
    page = f"/admin/monitoring/silence/{silence.pk}/change/"
    author = f"/admin/diagsite/user/{people['admin'].pk}/change/"
    for name, may_open in (("operator", False), ("root", True)):
        client = signed_in(people[name])
        text = client.get(page).content.decode()
        assert people["admin"].username in text
        assert (author in text) == (client.get(author).status_code == 200) == may_open


def test_administrator_assigns_roles_but_gains_no_permissions(people: dict[str, User]) -> None:
    client = signed_in(people["admin"])
    account = people["staff"]
    group = Group.objects.get(name="文案编辑")
    form = {
        "username": "staff",
        "is_staff": "on",
        "is_active": "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [Permission.objects.get(codename="delete_group").pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    answer = client.post(f"/admin/diagsite/user/{account.pk}/change/", form)
    assert answer.status_code == 302
    account.refresh_from_db()
    assert list(account.groups.all()) == [group]
    assert not account.is_superuser
    assert not account.user_permissions.exists()


def test_administrator_cannot_edit_a_superuser(people: dict[str, User]) -> None:
    client, root = signed_in(people["admin"]), people["root"]
    new = {"password1": "a-long-new-password", "password2": "a-long-new-password"}
    assert client.post(f"/admin/diagsite/user/{root.pk}/password/", new).status_code == 403
    assert client.post(f"/admin/diagsite/user/{root.pk}/change/", {"username": "mine"}).status_code == 403
    root.refresh_from_db()
    assert (root.username, root.check_password(new["password1"])) == ("root", False)


def test_view_permission_does_not_allow_resuming_a_platform(people: dict[str, User]) -> None:
    make_platform()
    page = signed_in(people["operator"]).get("/admin/diagnosis/platform/").content.decode()
    assert 'value="resume"' not in page
    assert 'value="resume"' in signed_in(people["admin"]).get("/admin/diagnosis/platform/").content.decode()


def test_admin_lists_only_the_models_of_a_role(people: dict[str, User]) -> None:
    page = signed_in(people["editor"]).get("/admin/").content.decode()
    assert "/admin/errors/errorcopy/" in page
    for other in ("/admin/monitoring/rule/", "/admin/diagsite/user/", "/admin/diagnosis/diagnosis/", "/admin/admin/"):
        assert other not in page
