"""Channels in the admin: write-only secrets, errors at their fields, test messages."""

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
from testing.fakes.chat_bots import SIGNING_SECRET, FakeChatBots

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:monitoring_channel_add"


@pytest.fixture
def bots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as bots:
        yield bots


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("operator", password="a-long-password"))
    return client


def get_change_url(channel: Channel) -> str:
    return reverse("admin:monitoring_channel_change", args=[channel.pk])


def create_channel(bots: FakeChatBots, key: str = SIGNING_SECRET) -> Channel:
    secrets = encrypt_secrets({"address": bots.dingtalk, "key": key})
    return Channel.objects.create(name="群", kind="dingtalk", secrets=secrets)


def make_form(**fields: Any) -> dict[str, Any]:
    return {"name": "群", "kind": "dingtalk", "is_enabled": "on", "is_default": "on", **fields}


def test_secrets_are_stored_encrypted_and_never_shown(staff: Client, bots: FakeChatBots) -> None:
    staff.post(reverse(ADD), make_form(address=bots.dingtalk, key=SIGNING_SECRET))
    channel = Channel.objects.get()
    assert decrypt_secrets(channel.secrets) == {"address": bots.dingtalk, "key": SIGNING_SECRET}
    page = staff.get(get_change_url(channel)).content.decode()
    assert "已保存，不显示" in page
    assert "token-of-a-test" not in page and SIGNING_SECRET not in page and channel.secrets not in page
    error_page = staff.post(
        get_change_url(channel), make_form(name="", address="https://x.example/very-secret")
    ).content.decode()
    assert "very-secret" not in error_page


def test_empty_secret_fields_keep_their_values_unless_the_kind_changes(staff: Client, bots: FakeChatBots) -> None:
    channel = create_channel(bots)
    staff.post(get_change_url(channel), make_form(name="新名字"))
    channel.refresh_from_db()
    assert channel.name == "新名字" and decrypt_secrets(channel.secrets)["key"] == SIGNING_SECRET
    staff.post(get_change_url(channel), make_form(forget_key="on"))
    channel.refresh_from_db()
    assert decrypt_secrets(channel.secrets) == {"address": bots.dingtalk}
    assert "需要填写地址" in staff.post(get_change_url(channel), make_form(kind="wecom")).content.decode()


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({}, "address", "需要填写地址"),
        ({"address": "https://evil.example/x"}, "address", "ALERT_HOSTS"),
        ({"address": "http://oapi.dingtalk.com/x"}, "address", "https"),
        ({"kind": "email"}, "recipients", "需要填写收件人"),
        ({"kind": "email", "recipients": "a@b.example, nobody"}, "recipients", "不是邮件地址：nobody"),
        ({"kind": "apprise", "address": "syslog://"}, "address", "不支持的 Apprise 服务"),
    ],
)
def test_errors_are_shown_at_their_fields(fields: dict[str, str], field: str, text: str, staff: Client) -> None:
    response = staff.post(reverse(ADD), make_form(**fields))
    assert text in str(response.context["adminform"].form.errors[field])
    assert not Channel.objects.exists()


def test_circular_fallback_is_rejected(staff: Client, bots: FakeChatBots) -> None:
    channel = create_channel(bots)
    other = Channel.objects.create(name="备用", kind="wecom", fallback=channel)
    response = staff.post(get_change_url(channel), make_form(fallback=str(other.pk)))
    assert "绕回了自己" in str(response.context["adminform"].form.errors["fallback"])


def test_test_message_shows_the_response_of_the_provider(staff: Client, bots: FakeChatBots) -> None:
    good, bad = (
        create_channel(bots),
        Channel.objects.create(name="坏", kind="wecom", secrets=encrypt_secrets({"address": bots.wecom + "x"})),
    )
    page = staff.post(reverse("admin:monitoring_channel_test", args=[good.pk]), follow=True).content.decode()
    assert "测试消息已送达" in page and "operator" in bots.get_message_texts()[0]
    page = staff.post(reverse("admin:monitoring_channel_test", args=[bad.pk]), follow=True).content.decode()
    assert "测试消息未送达" in page and "93000" in page and "机器人已被移出群" in page
    bad.refresh_from_db()
    assert bad.is_enabled and "93000" in bad.last_error


def test_test_message_requires_permission_and_post(client: Client, bots: FakeChatBots) -> None:
    channel = create_channel(bots)
    address = reverse("admin:monitoring_channel_test", args=[channel.pk])
    client.force_login(get_user_model().objects.create_user("onlooker", password="a-long-password", is_staff=True))
    assert client.post(address).status_code == 403
    assert client.get(address).status_code == 405
    assert bots.received == []


def test_disabled_channel_shows_its_reason_and_can_be_enabled(staff: Client, bots: FakeChatBots) -> None:
    channel = create_channel(bots, key="SEC-wrong")
    fire_alert(fingerprint="a", title="甲", severity="error")
    outbox.send_due_deliveries()
    changelist = reverse("admin:monitoring_channel_changelist")
    assert "310000" in staff.get(changelist).content.decode()
    staff.post(changelist, {"action": "reenable", "_selected_action": [channel.pk]})
    channel.refresh_from_db()
    assert channel.is_enabled and channel.disabled_reason == channel.last_error == ""


def test_abandoned_message_can_be_sent_again(staff: Client, bots: FakeChatBots) -> None:
    channel = create_channel(bots)
    fire_alert(fingerprint="a", title="甲", severity="error")
    Delivery.objects.update(state=Delivery.State.GIVEN_UP, attempts=12, reason="对方出错")
    changelist = reverse("admin:monitoring_delivery_changelist")
    delivery = Delivery.objects.get()
    page = staff.get(changelist).content.decode()
    assert "对方出错" in page and f"（#{delivery.number}）" in page
    assert "全文" in staff.get(reverse("admin:monitoring_delivery_change", args=[delivery.pk])).content.decode()
    staff.post(changelist, {"action": "retry", "_selected_action": [delivery.pk]})
    Channel.objects.filter(pk=channel.pk).update(free_at=timezone.now())
    assert outbox.send_due_deliveries() == 1
    assert len(bots.received) == 1
