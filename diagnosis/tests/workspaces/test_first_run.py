"""The way in: a brand with names, questions and platforms becomes a workspace with a panel and its first run."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.models import Diagnosis, Panel, Platform, TrackedQuestion, Workspace
from testing.data.diagnoses import make_valid_result, run_and_end

ORDER = {
    "brand": "山岚",
    "aliases": ["Shanlan"],
    "sites": ["shanlan.example"],
    "competitors": [{"name": "木石坊", "aliases": ["木石"]}],
    "questions": ["哪个手冲壶好？", "送礼买什么壶？"],
    "platforms": ["fake"],
    "repeats": 2,
}


def _start(client: Client, status: int, key: str | None = None, **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    response = client.post("/api/workspaces/start", ORDER | changes, content_type="application/json", headers=headers)
    assert response.status_code == status, response.content
    return response.json()


def test_first_run_keeps_names_questions_and_panel(client: Client, owner: AbstractUser, platform: Platform) -> None:
    started = _start(client, 202, "key")
    assert _start(client, 200, "key") == started
    url = f"/api/workspaces/{started['workspace']}"
    brands = client.get(f"{url}/brands").json()["brands"]
    assert [(brand["name"], brand["aliases"], brand["sites"], brand["is_own"]) for brand in brands] == [
        ("山岚", ["Shanlan"], ["shanlan.example"], True),
        ("木石坊", ["木石"], [], False),
    ]
    (panel,) = client.get(f"{url}/panels").json()
    assert [question["text"] for question in panel["questions"]] == ORDER["questions"]
    assert (panel["platforms"], panel["repeats"], panel["version"]) == (["fake"], 2, 1)
    diagnosis = Diagnosis.objects.get()
    assert (str(diagnosis.pk), diagnosis.planned, diagnosis.names_version) == (started["id"], 4, 1)
    run_and_end(diagnosis, *[make_valid_result()] * 4)
    overview = client.get(f"{url}/overview").json()
    assert (overview["headline"]["kind"], overview["panel"]) == ("first", panel["id"])
    figure = client.get(f"{url}/brands").json()["brands"][0]["figure"]
    assert (figure["k"], figure["n"]) == (4, 4)


def test_nothing_is_stored_when_the_run_cannot_start(client: Client, owner: AbstractUser, platform: Platform) -> None:
    assert "platforms.0" in _start(client, 422, platforms=["unknown"])["fields"]
    Platform.objects.update(paused_until="2999-01-01T00:00:00Z", pause_reason="quota")
    assert "platforms" in _start(client, 422)["fields"]
    assert not Workspace.objects.exists()
    assert not TrackedQuestion.objects.exists()
    Platform.objects.update(paused_until=None, pause_reason="")
    _start(client, 202)
    assert "name" in _start(client, 409)["fields"]  # the brand has a workspace
    assert (Workspace.objects.count(), Panel.objects.count()) == (1, 1)
