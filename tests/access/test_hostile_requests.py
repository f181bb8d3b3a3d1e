"""Requests of a stranger that try to break a page, learn what is not theirs, or leave data in a cache."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from diagnosis.models import ShareLink
from diagnosis.reports import cache
from diagnosis.sharing.links import get_link_path
from testing.data.access import AccessFixtures
from tests.access.test_access_table import is_stream_route, read_access_table

pytestmark = pytest.mark.django_db
NULS = ("%00", "x%00y", "_00", "x_00y")  # the admin decodes _00


@pytest.fixture
def world() -> AccessFixtures:
    return AccessFixtures()


def _list_nul_paths() -> Iterator[tuple[str, str]]:
    """Yield (method, path) with NUL in place of each parameter of each route."""
    for row in read_access_table():
        if "<" in row.route and not is_stream_route(row):
            for nul in NULS:
                yield row.method, "/" + re.sub(r"<[^>]+>", nul, row.route)


def test_nul_in_a_path_is_not_found(world: AccessFixtures) -> None:
    client = world.client_by_actor["root"]
    client.raise_request_exception = False
    wrong = {
        f"{method} {path}": response.status_code
        for method, path in _list_nul_paths()
        if (response := client.generic(method, path, content_type="application/json")).status_code >= 500
        or response.status_code < 300
    }
    assert wrong == {}


def _list_nul_queries() -> Iterator[str]:
    for row in read_access_table():
        if row.method == "GET" and "<" not in row.route and not row.route.startswith("api/"):
            for name in ("q", "p", "o", "e", "cursor", "status", "brand", "before", "next", "x%00", "all"):
                yield f"/{row.route}?{name}=%00"
    for model, model_admin in admin.site._registry.items():
        fields = [field.name for field in model._meta.concrete_fields] + [
            str(name) for name in model_admin.list_filter if isinstance(name, str)
        ]
        for name in dict.fromkeys(fields):
            for lookup in ("", "__exact", "__in"):
                yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/?{name}{lookup}=%00"


def test_nul_in_a_query_cookie_or_form_is_refused(world: AccessFixtures) -> None:
    client = world.client_by_actor["root"]
    client.raise_request_exception = False
    assert {path for path in _list_nul_queries() if client.get(path).status_code != 400} == set()
    for row in read_access_table():  # these name the wrong field, or ignore it
        if row.method == "GET" and row.route.startswith("api/") and not is_stream_route(row):
            query = "&".join(f"{name}=%00" for name in ("q", "cursor", "status", "brand", "before", "after", "locale"))
            assert client.get(f"{world.build_path(row.route)}?{query}").status_code < 500
    for form in ({"username": "a\x00", "password": "x"}, {"next\x00": "/"}):
        assert Client().post("/admin/login/", form).status_code == 400
        assert Client().post("/accounts/login/", form).status_code == 400
    for cookie in ("sessionid", "csrftoken", "django_language", "messages"):
        for path in ("/admin/", "/api/diagnoses"):
            visitor = Client(raise_request_exception=False)
            visitor.cookies.load(f'{cookie}="a\\000b"')
            assert visitor.get(path).status_code == 400


def _post(client: Client, path: str, body: Any) -> int:
    return client.post(path, json.dumps(body), content_type="application/json").status_code


def test_nul_in_a_json_body_is_no_server_error(world: AccessFixtures) -> None:
    client = world.client_by_actor["owner"]
    client.raise_request_exception = False
    of_diagnosis = f"/api/diagnoses/{world.diagnosis.pk}"
    order = {"brand": {"name": "\x00", "aliases": ["\x00"]}, "questions": ["\x00？"], "platforms": ["\x00"]}
    bodies: list[tuple[str, Any]] = [
        ("/api/session", {"device_id": "\x00" * 9}),
        ("/api/diagnoses", order),
        ("/api/diagnoses", order | {"platforms": ["fake"], "questions": ["甲？"]}),
        ("/api/questions/check", {"brand": "a\x00", "questions": ["b\x00"]}),
        (f"{of_diagnosis}/corrections", {"kind": "alias", "brand": "\x00", "alias": "\x00"}),
        (f"{of_diagnosis}/corrections", {"kind": "alias", "brand": "山岚", "alias": "x\x00"}),
        (f"{of_diagnosis}/competitors", {"name": "x\x00"}),
        ("/api/schedules", {"brand": {"name": "\x00"}, "questions": ["\x00"], "platforms": ["\x00"]}),
        ("/api/schedules/estimate", {"brand": {"name": "\x00"}, "questions": ["\x00"], "platforms": ["\x00"]}),
        ("/api/notices/read", {"ids": ["\x00"]}),
    ]
    assert [path for path, body in bodies if _post(client, path, body) >= 500] == []


def test_api_answers_are_not_stored_by_any_cache(world: AccessFixtures) -> None:
    allowed = {
        "api/errors": "public, no-cache",
        "api/legal/<name>": "public, no-cache",
        "api/diagnoses/<diagnosis_id>/report": "private, no-cache",
    }
    for actor in ("out", "owner"):
        for row in read_access_table():
            if row.method == "GET" and row.route.startswith("api/") and not is_stream_route(row):
                response = world.client_by_actor[actor].get(world.build_path(row.route))
                expected = allowed.get(row.route, "") if response.status_code == 200 else ""
                assert response.headers["Cache-Control"] == (expected or "private, no-store"), row.route


def test_no_id_in_the_api_counts_rows(world: AccessFixtures) -> None:
    client = world.client_by_actor["owner"]
    (correction,) = client.get(f"/api/diagnoses/{world.diagnosis.pk}/corrections").json()
    signed_in = Client().post("/api/session", {"device_id": "device-0001"}, content_type="application/json").json()
    for public_id in (correction["id"], signed_in["user"]["id"]):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", public_id)
    path = f"/api/diagnoses/{world.diagnosis.pk}/corrections/{correction['id']}"
    assert client.delete(path).status_code == 204


def test_only_an_opened_page_counts_as_an_opening(world: AccessFixtures) -> None:
    link = ShareLink.objects.get()
    for _ in range(3):
        assert Client().head(get_link_path(link)).status_code == 200
    link.refresh_from_db()
    assert link.opens == 0
    assert Client().get(get_link_path(link)).status_code == 200
    link.refresh_from_db()
    assert link.opens == 1


def test_a_stranger_cannot_make_the_site_build_a_report(world: AccessFixtures, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(cache, "_load_report", lambda *args: built.append(args))
    for path in ("/api/diagnoses/{}/report", "/api/diagnoses/{}/export.json", "/diagnoses/{}/print/"):
        assert world.client_by_actor["stranger"].get(path.format(world.diagnosis.pk)).status_code == 404
    assert built == []
