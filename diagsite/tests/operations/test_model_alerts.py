"""Models that disappear or change silently become alerts, and notices in their rows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from diagnosis.models import Answer, Platform
from diagsite.operations.model_alerts import MODEL_ALERT_NAME, check_models
from monitoring.models import Alert
from testing.data.diagnoses import API_KEY_VARIABLE, TEST_API_KEY, make_diagnosis, make_platform, make_user
from testing.fakes.protocols.server import PlatformServer
from testing.fakes.protocols.trap import Canned

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformServer]:
    monkeypatch.setenv(API_KEY_VARIABLE, TEST_API_KEY)
    with PlatformServer([Canned({})]) as server:
        yield server


def _open_alerts() -> set[str]:
    return set(Alert.objects.open().filter(rule_name=MODEL_ALERT_NAME).values_list("labels__platform", flat=True))


@pytest.mark.parametrize(
    ("protocol", "listed"),
    [("responses", {"data": [{"id": "m-1"}, {"id": 3}]}), ("gemini", {"models": [{"name": "models/m-1"}]})],
)
def test_a_model_that_left_the_list_is_an_alert_until_it_is_back(
    server: PlatformServer, admin_client: Client, protocol: str, listed: Any
) -> None:
    server.set_path("/models", Canned(listed))
    make_platform("gone", base_url=server.base_url, protocol=protocol, model="m-0")
    make_platform("there", base_url=server.base_url, protocol=protocol, model="m-1")
    make_platform("own", base_url=server.base_url, protocol=protocol, model="ep-2026")
    make_platform("off", base_url=server.base_url, protocol=protocol, model="m-0", is_enabled=False)
    assert [(problem.platform.pk, problem.is_missing) for problem in check_models()] == [("gone", True)]
    assert len(check_models()) == 1
    assert _open_alerts() == {"gone"}
    runbook_url = Alert.objects.get(rule_name=MODEL_ALERT_NAME).runbook_url
    assert admin_client.get(urlsplit(runbook_url).path).status_code == 200
    assert "m-0" in Platform.objects.get(pk="gone").notice
    Platform.objects.filter(pk="gone").update(model="m-1")
    assert check_models() == []
    assert (_open_alerts(), Platform.objects.get(pk="gone").notice) == (set(), "")


@pytest.mark.parametrize(
    "canned", [Canned("no such page", 404), Canned("<html>"), Canned({"data": []}), Canned({"data": None}), Canned([])]
)
def test_a_platform_without_a_readable_list_is_not_judged(server: PlatformServer, canned: Canned) -> None:
    server.set_path("/models", canned)
    make_platform(base_url=server.base_url, protocol="responses")
    assert check_models() == []


@pytest.mark.parametrize(
    ("names", "is_changed"),
    [
        (["m-1", "m-1", "m-2", "m-2"], True),
        (["m-1", "m-2", "m-1", "m-2"], False),
        (["m-1", "m-1"], False),
        (["", "m-1"], False),
        (["m-1"], False),
    ],
)
def test_replies_of_another_model_are_told(server: PlatformServer, names: list[str], is_changed: bool) -> None:
    server.set_path("/models", Canned("", 404))
    platform = make_platform(base_url=server.base_url, model="m")
    diagnosis = make_diagnosis(make_user("owner"), [platform], repeats=len(names))
    for number, (answer, name) in enumerate(zip(diagnosis.answers.order_by("repeat"), names, strict=True)):
        at = timezone.now() - timedelta(days=10 - number)
        Answer.objects.filter(pk=answer.pk).update(
            state="valid", text="山岚", model=name, requested_model="m", answered_at=at
        )
    assert [problem.is_missing for problem in check_models()] == ([False] if is_changed else [])
    assert ("m-2" in Platform.objects.get(pk="fake").notice) == is_changed
