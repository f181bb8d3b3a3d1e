"""Access ends with its reason: the password, the sign-in, the account."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from diagnosis.models import Diagnosis, RawReply, ShareLink
from diagnosis.reports.cache import find_cached_reports
from diagnosis.sharing.links import get_link_path
from diagsite.accounts import tokens, users
from diagsite.accounts.deletion import delete_user_data
from diagsite.models import User
from progress.access import Credential
from testing.data.access import AccessFixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> AccessFixtures:
    return AccessFixtures()


def _sign_in(user: User) -> Credential:
    client = Client()
    client.force_login(user)
    return Credential(session_key=client.cookies["sessionid"].value)


def test_socket_of_a_session_ends_with_the_password(settings: Any) -> None:
    user = User.objects.create_user("ann", password="first-password")
    before = _sign_in(user)
    assert tokens.find_invalid_credentials({before}) == set()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 10
    user.set_password("second-password")
    user.save()
    after = _sign_in(user)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a third" * 10
    assert Session.objects.count() == 2
    assert tokens.find_invalid_credentials({before, after}) == {before}


def _get_ticket_url(client: Client, diagnosis: Diagnosis, **headers: str) -> str:
    return str(client.post(f"/api/diagnoses/{diagnosis.pk}/print", headers=headers).json()["url"])


def test_print_ticket_ends_with_the_sign_in_the_account_and_the_permission(world: AccessFixtures) -> None:
    owner, admin = world.users["owner"], world.users["admin"]
    issued = tokens.issue_token(owner)
    headers = {"Authorization": f"Bearer {issued.token}"}
    of_token = _get_ticket_url(Client(), world.diagnosis, **headers)
    of_session = _get_ticket_url(world.client_by_actor["owner"], world.diagnosis)
    of_admin = _get_ticket_url(world.client_by_actor["admin"], world.diagnosis)
    assert [Client().get(url).status_code for url in (of_token, of_session, of_admin)] == [200, 200, 200]
    of_file = of_token.replace("/print/?", "/export.csv?")
    assert "山岚" in b"".join(Client().get(of_file)).decode()
    assert Client().get(of_file.replace(".csv", ".exe")).status_code == 404
    assert Client().delete("/api/session", headers=headers).status_code == 204
    admin.groups.clear()
    assert [Client().get(url).status_code for url in (of_token, of_session, of_admin)] == [302, 200, 404]
    assert Client().get(of_file).status_code == 302
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert Client().get(of_session).status_code == 302


def test_share_link_ends_with_the_account_of_owner_or_creator(world: AccessFixtures) -> None:
    link = ShareLink.objects.get()
    for user, link_of in ((world.users["owner"], "owner"), (world.users["admin"], "admin")):
        ShareLink.objects.update(created_by=world.users[link_of])
        assert Client().get(get_link_path(link)).status_code == 200
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert Client().get(get_link_path(link)).status_code == 404
        User.objects.filter(pk=user.pk).update(is_active=True)
    delete_user_data(world.users["admin"], verify=False)
    assert Client().get(get_link_path(link)).status_code == 404


def test_deleted_account_leaves_nothing_in_caches_and_raw_replies(world: AccessFixtures) -> None:
    owner, diagnosis = world.users["owner"], world.diagnosis
    answer = diagnosis.answers.first()
    RawReply.objects.update_or_create(answer=answer, defaults={"content": b"x", "size": 1})
    client = world.client_by_actor["owner"]
    for language in ("zh-hans", "en"):
        headers = {"Accept-Language": language}
        assert client.get(f"/api/diagnoses/{diagnosis.pk}/report", headers=headers).status_code == 200
    assert len(find_cached_reports(diagnosis.pk)) == 2
    assert delete_user_data(users.find_user(owner.username), verify=False).remaining == {}
    assert find_cached_reports(diagnosis.pk) == []
    assert not RawReply.objects.exists()
