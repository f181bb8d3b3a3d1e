"""Share links show the report without sign-in, hide the owner, expire, and can be revoked."""

import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from diagnosis.models import Diagnosis, Platform, ShareLink
from diagnosis.orders.services import RequestedBrand
from testing.data.diagnoses import begin_and_record, make_diagnosis, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    diagnosis = make_diagnosis(
        owner, [platform], competitors=[RequestedBrand("木石坊")], request_id="request-of-the-owner", questions=["甲？"]
    )
    return run_and_end(diagnosis, make_valid_result("<b>山岚</b>比木石坊好。"))


def _share(client: Client, diagnosis: Diagnosis, days: Any = 7) -> Any:
    body = json.dumps({"days": days})
    return client.post(f"/api/diagnoses/{diagnosis.pk}/shares", body, content_type="application/json")


def _path(client: Client, diagnosis: Diagnosis) -> str:
    return urlsplit(str(_share(client, diagnosis).json()["url"])).path


def _visitor() -> Client:
    return Client(headers={"Accept-Language": "zh-CN"})


def test_link_shows_the_report_without_sign_in(client: Client, diagnosis: Diagnosis) -> None:
    shared = _share(client, diagnosis, 7)
    assert shared.status_code == 201
    assert shared.json()["url"].startswith("http://testserver/shared/")
    page = _visitor().get(urlsplit(shared.json()["url"]).path)
    assert page.status_code == 200
    body = page.content.decode()
    assert '&lt;b&gt;<mark class="own">山岚</mark>&lt;/b&gt;比<mark class="rival">木石坊</mark>好。' in body
    assert "由 AI 生成，仅供参考" in body
    assert page["X-Robots-Tag"].startswith("noindex")
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["Cache-Control"] == "private, no-store"
    assert not page.cookies


def test_shared_page_does_not_identify_the_owner(client: Client, owner: AbstractUser, diagnosis: Diagnosis) -> None:
    get_user_model().objects.filter(pk=owner.pk).update(
        first_name="山田", wechat_openid="openid-of-owner", device_id="device-of-owner", email="o@example.com"
    )
    body = _visitor().get(_path(client, diagnosis)).content.decode()
    for secret in (
        "owner",
        "山田",
        "openid-of",
        "device-of",
        "o@example.com",
        "request-of-the-owner",
        str(diagnosis.stream_id),
    ):
        assert secret not in body, secret
    assert f"/diagnoses/{diagnosis.pk}/" not in body


def test_shared_page_has_no_inline_script_or_style(client: Client, diagnosis: Diagnosis) -> None:
    body = _visitor().get(_path(client, diagnosis)).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", body) == []


def test_link_expires(client: Client, diagnosis: Diagnosis) -> None:
    path = _path(client, diagnosis)
    ShareLink.objects.update(expires_at=timezone.now())
    assert _visitor().get(path).status_code == 404
    assert client.get(f"/api/diagnoses/{diagnosis.pk}/shares").json() == []


def test_revoked_link_does_not_open(client: Client, diagnosis: Diagnosis) -> None:
    shared = _share(client, diagnosis).json()
    address = f"/api/diagnoses/{diagnosis.pk}/shares/{shared['id']}"
    assert [client.delete(address).status_code for _ in range(2)] == [204, 204]
    assert _visitor().get(urlsplit(shared["url"]).path).status_code == 404
    assert client.get(f"/api/diagnoses/{diagnosis.pk}/shares").json() == []


def test_all_unusable_links_get_the_same_response(client: Client, diagnosis: Diagnosis) -> None:
    expired, revoked, gone = (_path(client, diagnosis) for _ in range(3))
    links = list(ShareLink.objects.order_by("created_at"))
    ShareLink.objects.filter(pk=links[0].pk).update(expires_at=timezone.now())
    ShareLink.objects.filter(pk=links[1].pk).update(revoked_at=timezone.now())
    links[2].delete()
    forged = expired[:-3] + ("aa/" if expired[-3:] != "aa/" else "bb/")
    paths = [expired, revoked, gone, forged, "/shared/x/", f"/shared/{'x' * 2000}/", "/shared/.%00/"]
    pages = [_visitor().get(path) for path in paths]
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1
    of_each_request = "X-Request-ID"
    assert len({str({**page.headers, of_each_request: ""}) for page in pages}) == 1
    assert "这个链接打不开了" in pages[0].content.decode()


def test_token_is_not_stored(client: Client, diagnosis: Diagnosis) -> None:
    token = _path(client, diagnosis).split("/")[2]
    signature = token.split(".")[1]
    assert len(signature) > 20
    assert signature not in str(ShareLink.objects.values().get())


def test_signature_with_another_salt_does_not_open(client: Client, diagnosis: Diagnosis) -> None:
    ticket = client.post(f"/api/diagnoses/{diagnosis.pk}/print").json()["url"].partition("=")[2]
    assert _visitor().get(f"/shared/{ticket}/").status_code == 404
    token = _path(client, diagnosis).split("/")[2]
    assert _visitor().get(f"/diagnoses/{diagnosis.pk}/print/?ticket={token}").status_code == 302


def test_list_counts_openings(client: Client, diagnosis: Diagnosis) -> None:
    first, second = _share(client, diagnosis, 1).json(), _share(client, diagnosis, 90).json()
    for _ in range(2):
        _visitor().get(urlsplit(second["url"]).path)
    listed = client.get(f"/api/diagnoses/{diagnosis.pk}/shares").json()
    assert [(link["url"], link["opens"]) for link in listed] == [(second["url"], 2), (first["url"], 0)]
    lasts = ShareLink.objects.get(pk=second["id"]).expires_at - timezone.now()
    assert timedelta(days=89, hours=23) < lasts <= timedelta(days=90)


@pytest.mark.parametrize("days", [0, 91, -1, "soon", None, 1.5])
def test_days_must_be_between_1_and_90(client: Client, diagnosis: Diagnosis, days: Any) -> None:
    refused = _share(client, diagnosis, days)
    assert refused.status_code in (400, 422)
    assert "days" in refused.json()["fields"]


def test_at_most_ten_links_are_active(client: Client, diagnosis: Diagnosis) -> None:
    links = [_share(client, diagnosis).json()["id"] for _ in range(10)]
    refused = _share(client, diagnosis)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["shares"])
    client.delete(f"/api/diagnoses/{diagnosis.pk}/shares/{links[0]}")
    assert _share(client, diagnosis).status_code == 201


def test_sharing_requires_access_to_the_diagnosis(
    client: Client, client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    shared = _share(client, diagnosis).json()
    address = f"/api/diagnoses/{diagnosis.pk}/shares"
    assert _share(client_of_stranger, diagnosis).status_code == 404
    assert client_of_stranger.get(address).status_code == 404
    assert client_of_stranger.delete(f"{address}/{shared['id']}").status_code == 404
    assert _share(Client(), diagnosis).status_code == 401
    assert client_of_staff.delete(f"{address}/{shared['id']}").status_code == 204
    assert client.delete(f"{address}/{diagnosis.pk}").status_code == 404


def test_link_cannot_be_revoked_through_another_diagnosis(
    client_of_stranger: Client, stranger: AbstractUser, client: Client, diagnosis: Diagnosis, platform: Platform
) -> None:
    shared = _share(client, diagnosis).json()
    own = run_and_end(make_diagnosis(stranger, [platform]), make_valid_result())
    assert client_of_stranger.delete(f"/api/diagnoses/{own.pk}/shares/{shared['id']}").status_code == 404
    assert _visitor().get(urlsplit(shared["url"]).path).status_code == 200


def test_running_diagnosis_cannot_be_shared(client: Client, owner: AbstractUser, platform: Platform) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    assert _share(client, running).json()["code"] == "DIAGNOSIS_RUNNING"


def test_links_are_deleted_with_their_diagnosis(client: Client, diagnosis: Diagnosis) -> None:
    path = _path(client, diagnosis)
    diagnosis.delete()
    assert not ShareLink.objects.exists()
    assert _visitor().get(path).status_code == 404


def test_demo_is_marked_on_the_shared_page(client: Client, owner: AbstractUser) -> None:
    demo = run_and_end(make_diagnosis(owner, [make_platform("demo", is_demo=True)]), make_valid_result())
    body = _visitor().get(_path(client, demo)).content.decode()
    assert '<p class="mark demo"><strong>演示数据，并非真实平台的回答</strong></p>' in body
    assert '<meta name="demo" content="演示数据，并非真实平台的回答">' in body


def test_operator_can_revoke_links_in_the_admin(
    client: Client, client_of_staff: Client, staff: AbstractUser, diagnosis: Diagnosis
) -> None:
    staff.is_superuser = True
    staff.save()
    path = _path(client, diagnosis)
    address = reverse("admin:diagnosis_sharelink_changelist")
    listed = client_of_staff.get(address)
    assert listed.status_code == 200
    assert path.split("/")[2] not in listed.content.decode()
    chosen = {"action": "revoke", "_selected_action": [str(ShareLink.objects.get().pk)]}
    assert client_of_staff.post(address, chosen).status_code == 302
    assert _visitor().get(path).status_code == 404
