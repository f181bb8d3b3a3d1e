"""One call by an operator: in the admin and by `record_reply`; and the export of raw replies."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from diagnosis.choices import CallPurpose
from diagnosis.models import PaidCall, RawReply
from diagnosis.platforms import client as platform_client
from testing.data.diagnoses import TEST_API_KEY, make_diagnosis, make_platform, run_diagnoses
from testing.fakes.protocols import kimi, messages
from testing.fakes.protocols.chat import completion
from testing.fakes.protocols.server import PlatformServer
from testing.fakes.protocols.trap import Canned

pytestmark = pytest.mark.django_db(transaction=True)

LOOP = [
    Canned(kimi.TOOLS),
    Canned(kimi.tool_calls("手冲壶")),
    Canned(kimi.fiber({"results": [{"url": "https://a.example/1"}]})),
    Canned(completion("山岚好。", note=f"Bearer {TEST_API_KEY}")),
]


@pytest.fixture(autouse=True)
def no_cached_setups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_client, "_setups", {})


def test_recorded_reply_has_every_step_and_no_key(tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "reply.json"
    with PlatformServer(LOOP) as server:
        make_platform(base_url=server.base_url, protocol="kimi", surface="search", price_per_search=2, is_enabled=False)
        call_command("record_reply", "fake", "--output", str(target))
    text = target.read_text()
    record = json.loads(text)
    assert TEST_API_KEY not in text and "Bearer ***" in text
    assert [step["response"]["status"] for step in record["steps"]] == [200, 200, 200]
    assert record["steps"][0]["request"]["body"]["tools"] == kimi.TOOLS["tools"]
    assert (record["protocol"], record["surface"], record["reading"]["text"]) == ("kimi", "search", "山岚好。")
    paid = PaidCall.objects.filter(purpose=CallPurpose.TEST, state="settled")
    assert (paid.count(), sum(call.searches or 0 for call in paid), sum(call.cost for call in paid)) == (3, 1, 2)


def test_failed_recording_says_why_and_keeps_what_came(tmp_path: Path) -> None:
    target = tmp_path / "reply.json"
    refusal = {"error": {"code": "invalid_parameter_error", "message": f"bad {TEST_API_KEY}"}}
    with PlatformServer([Canned(refusal, 400)]) as server:
        make_platform(base_url=server.base_url)
        with pytest.raises(CommandError, match="config"):
            call_command("record_reply", "fake", "--output", str(target))
    assert TEST_API_KEY not in target.read_text()
    assert json.loads(target.read_text())["steps"][0]["response"]["status"] == 400
    with pytest.raises(CommandError, match="there are fake"):
        call_command("record_reply", "other")


def test_the_test_button_shows_request_reading_reply_and_cost(admin_client: Client) -> None:
    body = messages.reply(
        messages.tool_use("手冲壶"),
        messages.results("https://a.example/<1>"),
        messages.text("山岚<b>", "https://a.example/<1>"),
    )
    with PlatformServer([Canned(body)]) as server:
        make_platform(base_url=server.base_url, protocol="messages", surface="search", price_per_call="0.5")
        response = admin_client.post(reverse("admin:diagnosis_platform_test", args=["fake"]))
    page = response.content.decode()
    assert response.status_code == 200
    for part in ("web_search_20250305", "手冲壶", "山岚&lt;b&gt;", "费用：0.5", "发生过：是"):
        assert part in page
    assert TEST_API_KEY not in page and "<b>" not in page


def test_a_used_up_budget_makes_no_call(admin_client: Client) -> None:
    with PlatformServer([Canned(completion("山岚"))]) as server:
        make_platform(base_url=server.base_url, price_per_call=1, monthly_budget=0)
        page = admin_client.post(reverse("admin:diagnosis_platform_test", args=["fake"])).content.decode()
        assert server.requests == []
    assert "预算已用完" in page


def test_raw_replies_are_exported_for_support(owner: AbstractUser, capsys: Any) -> None:
    with PlatformServer([Canned(completion("山岚好。", unknown_field={"kept": [1]}))]) as server:
        platform = make_platform(base_url=server.base_url)
        (diagnosis,) = run_diagnoses(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]))
    call_command("export_replies", str(diagnosis.pk))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["raw"][0]["unknown_field"] for line in lines] == [{"kept": [1]}] * 2
    RawReply.objects.all().delete()
    for wanted in (str(diagnosis.pk), "not-an-id"):
        with pytest.raises(CommandError):
            call_command("export_replies", wanted)
