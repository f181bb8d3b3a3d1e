"""What operators do with channels in the admin: secrets go in and never come out, faults stand at their fields."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.alerts.lifecycle import fire_alert
from monitoring.delivery import outbox
from monitoring.delivery.channel_secrets import decrypt_secrets, encrypt_secrets
from monitoring.models import Channel, Delivery
from testing.fake_chat_bots import SIGNING_SECRET, FakeChatBots

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:monitoring_channel_add"


@pytest.fixture
def robots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as found:
        yield found


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("operator", password="a-long-password"))
    return client


def change(channel: Channel) -> str:
    return reverse("admin:monitoring_channel_change", args=[channel.pk])


def make(robots: FakeChatBots, key: str = SIGNING_SECRET) -> Channel:
    secrets = encrypt_secrets({"address": robots.dingtalk, "key": key})
    return Channel.objects.create(name="群", kind="dingtalk", secrets=secrets)


def form(**fields: Any) -> dict[str, Any]:
    return {"name": "群", "kind": "dingtalk", "is_enabled": "on", "is_default": "on", **fields}


def test_what_was_entered_is_stored_encrypted_and_never_shown(staff: Client, robots: FakeChatBots) -> None:
    staff.post(reverse(ADD), form(address=robots.dingtalk, key=SIGNING_SECRET))
    channel = Channel.objects.get()
    assert decrypt_secrets(channel.secrets) == {"address": robots.dingtalk, "key": SIGNING_SECRET}
    page = staff.get(change(channel)).content.decode()
    assert "已保存，不显示" in page
    assert "token-of-a-test" not in page and SIGNING_SECRET not in page and channel.secrets not in page
    faulty = staff.post(change(channel), form(name="", address="https://x.example/very-secret")).content.decode()
    assert "very-secret" not in faulty


def test_an_empty_field_keeps_what_is_there_and_a_new_kind_does_not(staff: Client, robots: FakeChatBots) -> None:
    channel = make(robots)
    staff.post(change(channel), form(name="新名字"))
    channel.refresh_from_db()
    assert channel.name == "新名字" and decrypt_secrets(channel.secrets)["key"] == SIGNING_SECRET
    staff.post(change(channel), form(forget_key="on"))
    channel.refresh_from_db()
    assert decrypt_secrets(channel.secrets) == {"address": robots.dingtalk}
    assert "需要填写地址" in staff.post(change(channel), form(kind="wecom")).content.decode()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({}, "address", "需要填写地址"),
        ({"address": "https://evil.example/x"}, "address", "ALERT_HOSTS"),
        ({"address": "http://oapi.dingtalk.com/x"}, "address", "https"),
        ({"kind": "email"}, "recipients", "需要填写收件人"),
        ({"kind": "email", "recipients": "a@b.example, nobody"}, "recipients", "不是邮件地址：nobody"),
        ({"kind": "apprise", "address": "syslog://"}, "address", "不支持的 Apprise 服务"),
    ],
)
def test_a_fault_is_named_at_its_field(fields: dict[str, str], field: str, words: str, staff: Client) -> None:
    answer = staff.post(reverse(ADD), form(**fields))
    assert words in str(answer.context["adminform"].form.errors[field])
    assert not Channel.objects.exists()


def test_a_fallback_that_leads_back_is_refused(staff: Client, robots: FakeChatBots) -> None:
    channel = make(robots)
    other = Channel.objects.create(name="备用", kind="wecom", fallback=channel)
    answer = staff.post(change(channel), form(fallback=str(other.pk)))
    assert "绕回了自己" in str(answer.context["adminform"].form.errors["fallback"])


def test_a_test_shows_what_the_other_side_says(staff: Client, robots: FakeChatBots) -> None:
    good, bad = (
        make(robots),
        Channel.objects.create(name="坏", kind="wecom", secrets=encrypt_secrets({"address": robots.wecom + "x"})),
    )
    page = staff.post(reverse("admin:monitoring_channel_test", args=[good.pk]), follow=True).content.decode()
    assert "测试消息已送达" in page and "operator" in robots.get_message_texts()[0]
    page = staff.post(reverse("admin:monitoring_channel_test", args=[bad.pk]), follow=True).content.decode()
    assert "测试消息未送达" in page and "93000" in page and "机器人已被移出群" in page
    bad.refresh_from_db()
    assert bad.is_enabled and "93000" in bad.last_error


def test_a_test_needs_the_permission_and_a_post(client: Client, robots: FakeChatBots) -> None:
    channel = make(robots)
    address = reverse("admin:monitoring_channel_test", args=[channel.pk])
    client.force_login(get_user_model().objects.create_user("onlooker", password="a-long-password", is_staff=True))
    assert client.post(address).status_code == 403
    assert client.get(address).status_code == 405
    assert robots.received == []


def test_a_disabled_channel_says_why_and_is_enabled_again(staff: Client, robots: FakeChatBots) -> None:
    channel = make(robots, key="SEC-wrong")
    fire_alert(fingerprint="a", title="甲", severity="error")
    outbox.send_due_deliveries()
    changelist = reverse("admin:monitoring_channel_changelist")
    assert "310000" in staff.get(changelist).content.decode()
    staff.post(changelist, {"action": "enable_again", "_selected_action": [channel.pk]})
    channel.refresh_from_db()
    assert channel.is_enabled and channel.disabled_reason == channel.last_error == ""


def test_what_was_given_up_is_tried_again_from_the_list(staff: Client, robots: FakeChatBots) -> None:
    channel = make(robots)
    fire_alert(fingerprint="a", title="甲", severity="error")
    Delivery.objects.update(state=Delivery.State.GIVEN_UP, attempts=12, reason="对方出错")
    changelist = reverse("admin:monitoring_delivery_changelist")
    delivery = Delivery.objects.get()
    page = staff.get(changelist).content.decode()
    assert "对方出错" in page and f"（#{delivery.number}）" in page
    assert "全文" in staff.get(reverse("admin:monitoring_delivery_change", args=[delivery.pk])).content.decode()
    staff.post(changelist, {"action": "try_again", "_selected_action": [delivery.pk]})
    Channel.objects.filter(pk=channel.pk).update(free_at=timezone.now())
    assert outbox.send_due_deliveries() == 1
    assert len(robots.received) == 1
