"""WeChat messages about ended diagnoses: one for an absent owner, none for one who is connected."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.cache import cache
from django.utils import timezone
from websockets.sync.client import connect

from diagnosis.choices import DiagnosisStatus
from diagnosis.models import Diagnosis, Platform
from diagnosis.running.state_machine import end_diagnosis
from diagsite.models import Notification
from diagsite.notifications import outbox
from diagsite.notifications.outbox import count_rejected_messages, mark_notification_seen, send_due_notifications
from monitoring.models import Alert, Process, Rule
from monitoring.rules.defaults import seed_rules
from monitoring.rules.evaluator import run_evaluation
from monitoring.samples import collector
from testing.data.diagnoses import make_diagnosis, make_platform, make_user
from testing.fakes.wechat import FakeWeChat
from testing.services import LOCAL_HTTPX_OPTIONS, wait_until
from testing.site import Site, running_site

OPENID = "openid-of-a-user"
SITE = {"WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_TEMPLATE_ID": "template", "NOTICE_GRACE_SECONDS": "3"}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wechat(settings: Any) -> Iterator[FakeWeChat]:
    cache.clear()
    settings.WECHAT_TEMPLATE_ID = "template"
    settings.NOTICE_GRACE_SECONDS = 0
    with FakeWeChat() as fake:
        settings.WECHAT_API_BASE = fake.url
        fake.allowed_messages[OPENID] = 1
        yield fake
    cache.clear()


def ended(status: DiagnosisStatus | None = None, brand: str = "山岚", openid: str | None = OPENID) -> Diagnosis:
    """Create a diagnosis and end it."""
    owner = make_user("away", wechat_openid=openid)
    diagnosis = make_diagnosis(owner, [make_platform()], brand=brand)
    assert end_diagnosis(diagnosis.pk, status)
    return diagnosis


def state() -> str:
    return Notification.objects.get().state


def make_due() -> None:
    """Expire leases and waiting times."""
    Notification.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_message_describes_the_diagnosis_and_links_to_its_page(wechat: FakeWeChat) -> None:
    diagnosis = ended()
    assert send_due_notifications() == 1
    (message,) = wechat.delivered
    assert message["touser"] == OPENID
    assert message["template_id"] == "template"
    assert message["page"] == f"pages/report-v2/report-v2?id={diagnosis.pk}"
    assert message["data"]["thing1"] == {"value": "山岚"}
    assert message["data"]["phrase2"] == {"value": "失败"}
    assert state() == "sent"


def test_long_brand_is_truncated_for_the_template(wechat: FakeWeChat) -> None:
    ended(brand="长" * 40)
    send_due_notifications()
    assert wechat.delivered[0]["data"]["thing1"]["value"] == "长" * 19 + "…"


def test_message_is_sent_once(wechat: FakeWeChat) -> None:
    wechat.allowed_messages[OPENID] = 5
    diagnosis = ended()
    assert [send_due_notifications() for _look in range(3)] == [1, 0, 0]
    assert end_diagnosis(diagnosis.pk) is None
    assert len(wechat.delivered) == 1


def test_owner_who_received_the_end_gets_no_message(wechat: FakeWeChat, settings: Any) -> None:
    mark_notification_seen(ended().stream_id)
    assert send_due_notifications() == 0
    assert state() == "seen"


def test_cancelled_diagnosis_has_no_notification(wechat: FakeWeChat) -> None:
    ended(DiagnosisStatus.CANCELLED)
    assert not Notification.objects.exists()


def test_account_without_wechat_has_no_notification(wechat: FakeWeChat) -> None:
    ended(openid=None)
    assert not Notification.objects.exists()


def test_no_notification_without_a_template(wechat: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_TEMPLATE_ID = ""
    ended()
    assert not Notification.objects.exists()


def test_nothing_is_sent_during_the_grace_period(wechat: FakeWeChat, settings: Any) -> None:
    settings.NOTICE_GRACE_SECONDS = 60
    ended()
    assert send_due_notifications() == 0
    assert state() == "waiting"


def test_missing_permission_is_given_up_at_once(wechat: FakeWeChat) -> None:
    wechat.allowed_messages[OPENID] = 0
    ended()
    send_due_notifications()
    make_due()
    assert send_due_notifications() == 0
    assert Notification.objects.get().reason == "43101"
    assert (state(), wechat.calls) == ("given_up", 1)


@pytest.mark.parametrize("code", ["40037", "41030", "47003"])
def test_wrong_template_or_page_alerts_operators_until_a_message_is_accepted(
    wechat: FakeWeChat, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    seed_rules()
    Rule.objects.exclude(name="wechat_messages_rejected").delete()
    wechat.queued_replies = [int(code)]
    diagnosis = ended()
    send_due_notifications()
    assert count_rejected_messages() == {(code,): 1}
    monkeypatch.setattr(collector, "_current_run", collector._ProcessRun(Process.Kind.SERVER))
    now = timezone.now()
    collector.flush_samples(now)
    run_evaluation(now + timedelta(minutes=1))
    assert [alert.rule_name for alert in Alert.objects.open()] == ["wechat_messages_rejected"]
    Notification.objects.update(due_at=timezone.now())  # a while ago
    end_diagnosis(make_diagnosis(diagnosis.owner, list(Platform.objects.filter(pk="fake"))).pk)
    send_due_notifications()
    assert count_rejected_messages() == {}


def test_busy_wechat_is_retried_a_limited_number_of_times(wechat: FakeWeChat) -> None:
    wechat.queued_replies = [-1] * 20
    ended()
    for _attempt in range(outbox.MAX_NOTIFICATION_ATTEMPTS):
        assert send_due_notifications() == 1
        assert send_due_notifications() == 0
        make_due()
    assert (state(), wechat.calls) == ("given_up", outbox.MAX_NOTIFICATION_ATTEMPTS)


def test_access_token_is_cached_and_replaced_when_invalid(wechat: FakeWeChat) -> None:
    wechat.allowed_messages[OPENID] = 2
    diagnosis = ended()
    send_due_notifications()
    assert wechat.issued_token_count == 1
    wechat.issue_token()  # invalidates the cached token
    another = make_diagnosis(diagnosis.owner, list(Platform.objects.filter(pk="fake")))
    end_diagnosis(another.pk)
    send_due_notifications()
    assert len(wechat.delivered) == 2
    assert wechat.issued_token_count == 3


def test_message_waits_while_wechat_is_unavailable(wechat: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_API_BASE = "http://127.0.0.1:9"
    ended()
    send_due_notifications()
    assert state() == "waiting"
    settings.WECHAT_API_BASE = wechat.url
    make_due()
    send_due_notifications()
    assert len(wechat.delivered) == 1


def test_crash_after_sending_sends_no_second_message(wechat: FakeWeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    ended()

    def die(self: Notification, *args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        lease = outbox._lease_next_notification()
        assert lease
        patch.setattr(Notification, "save", die)
        outbox._send_notification(lease)
    assert len(wechat.delivered) == 1
    assert send_due_notifications() == 0  # the lease has not expired
    make_due()
    assert send_due_notifications() == 1
    assert len(wechat.delivered) == 1
    assert state() == "given_up"


def test_rolled_back_end_leaves_no_notification(wechat: FakeWeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagnosis.running.state_machine.close_stream", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ended()
    assert not Notification.objects.exists()


# With a served site


def sign_in(site: Site, code: str) -> httpx.Client:
    """A signed-in client of a WeChat user."""
    answer = httpx.post(f"{site.url}/api/session", json={"code": code}, **LOCAL_HTTPX_OPTIONS)
    token = answer.raise_for_status().json()["token"]
    return httpx.Client(base_url=site.url, headers={"Authorization": f"Bearer {token}"}, **LOCAL_HTTPX_OPTIONS)


def start(client: httpx.Client) -> dict[str, Any]:
    body = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["demo-fast"]}
    accepted: dict[str, Any] = client.post("/api/diagnoses", json=body).raise_for_status().json()
    return accepted


def watch_to_the_end(site: Site, client: httpx.Client, accepted: dict[str, Any]) -> None:
    with connect(f"{site.url.replace('http', 'ws')}{accepted['socket_url']}", proxy=None) as ws:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        ws.send(json.dumps({"type": "hello", "v": 1, "token": token, "after": 0, "epoch": None}))
        for text in ws:
            if '"complete"' in str(text):
                break


def states(site: Site) -> dict[str, str]:
    return {str(pk): state for pk, state in site.query("SELECT diagnosis_id, state FROM diagsite_notice")}


def test_absent_owner_gets_a_message_and_connected_owner_none() -> None:
    with FakeWeChat() as fake, running_site(WECHAT_API_BASE=fake.url, **SITE) as site:
        fake.allowed_messages |= {"openid-of-away": 2, "openid-of-watching": 2}
        with sign_in(site, "away") as away, sign_in(site, "watching") as watching:
            watched, left = start(watching), start(away)
            watch_to_the_end(site, watching, watched)
            wait_until(lambda: states(site).get(left["id"]) == "sent", "the message")
            wait_until(lambda: states(site).get(watched["id"]) == "seen", "the mark")
        assert [message["touser"] for message in fake.delivered] == ["openid-of-away"]
        assert "演示" in fake.delivered[0]["data"]["thing1"]["value"]


def test_message_is_sent_once_after_the_server_was_killed() -> None:
    quick = SITE | {"NOTICE_GRACE_SECONDS": "4"}
    with FakeWeChat() as fake, running_site(WECHAT_API_BASE=fake.url, **quick) as site:
        fake.allowed_messages["openid-of-away"] = 1
        with sign_in(site, "away") as away:
            accepted = start(away)
        wait_until(lambda: states(site).get(accepted["id"]) == "waiting", "the end")
        site.server.kill()
        assert fake.delivered == []
        site.start()
        wait_until(lambda: states(site).get(accepted["id"]) == "sent", "the message")
        assert len(fake.delivered) == 1
