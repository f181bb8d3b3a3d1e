"""Messages are written with their alert and sent at least once, in order, rate limited, with fallbacks."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from monitoring.alerts.lifecycle import fire_alert, resolve_alert
from monitoring.delivery import outbox
from monitoring.delivery.channel_secrets import encrypt_secrets
from monitoring.models import Alert, AlertNote, Channel, Delivery
from testing.fakes.chat_bots import SIGNING_SECRET, FakeChatBots
from testing.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as bots:
        yield bots


@pytest.fixture(autouse=True)
def use_longest_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the longest jitter, so that no retry is due within the same call by chance."""
    monkeypatch.setattr("errors.retry.random.uniform", lambda least, most: most)


def create_channel(name: str, kind: str, address: str, **fields: Any) -> Channel:
    secrets = encrypt_secrets({"address": address, "key": SIGNING_SECRET})
    return Channel.objects.create(name=name, kind=kind, secrets=secrets, **fields)


def fire(number: int = 1) -> Alert:
    alert = fire_alert(fingerprint=f"test:{number}", title=f"事件 {number}", severity="error", labels={"brand": "甲"})
    assert alert
    return alert


def make_everything_due() -> None:
    """Let all waiting times pass."""
    now = timezone.now()
    Delivery.objects.update(due_at=now)
    Channel.objects.update(free_at=now)


def test_alert_is_sent_once_to_every_default_channel(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    create_channel("企业群", "wecom", bots.wecom)
    create_channel("旁", "feishu", bots.feishu, is_default=False)
    alert = fire()
    assert outbox.send_due_deliveries() == 2
    assert outbox.send_due_deliveries() == 0
    assert len(bots.received) == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.SENT}
    assert alert.timeline.filter(kind=AlertNote.Kind.DELIVERED).count() == 2
    assert all("事件 1" in text and "甲" in text for text in bots.get_message_texts())


def test_message_is_rolled_back_with_its_alert(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        fire()
        _ = 1 / 0
    assert not Delivery.objects.exists()
    assert outbox.send_due_deliveries() == 0


def test_alert_without_channels_is_no_error() -> None:
    alert = fire()
    assert alert.is_open and not Delivery.objects.exists()
    assert outbox.enqueue_text_message("标题", "内容", "info") == []


def test_channels_of_a_rule_take_precedence_over_default_ones(bots: FakeChatBots) -> None:
    from monitoring.models import Rule

    create_channel("默认", "dingtalk", bots.dingtalk)
    own = create_channel("规则的", "wecom", bots.wecom, is_default=False)
    rule = Rule.objects.create(name="a", kind=Rule.Kind.GAUGE, metric="x", threshold=1)
    rule.channels.add(own)
    fire_alert(fingerprint="rule:a", title="甲", severity="error", rule=rule)
    assert list(Delivery.objects.values_list("channel__name", flat=True)) == ["规则的"]
    Channel.objects.filter(pk=own.pk).update(is_enabled=False)
    assert [channel.name for channel in outbox.select_channels(rule)] == ["默认"]


def test_temporary_failure_is_retried(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    bots.queued_replies = [(200, {"errcode": -1, "errmsg": "系统繁忙"})]
    alert = fire()
    assert outbox.send_due_deliveries() == 1
    waiting = Delivery.objects.get()
    assert waiting.state == Delivery.State.WAITING and waiting.provider_code == "-1" and "系统繁忙" in waiting.reason
    make_everything_due()
    outbox.send_due_deliveries()
    sent = Delivery.objects.get()
    assert sent.state == Delivery.State.SENT and sent.attempts == 2 and sent.reason == ""
    assert alert.timeline.filter(kind=AlertNote.Kind.UNDELIVERED).count() == 0


def test_rate_limited_channel_waits_for_a_minute(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    bots.queued_replies = [(200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})]
    fire(1)
    outbox.send_due_deliveries()
    fire(2)
    assert outbox.send_due_deliveries() == 0
    assert Channel.objects.get().free_at > timezone.now() + timedelta(seconds=55)


def test_messages_above_the_rate_limit_wait_and_are_not_lost(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    for number in range(25):
        fire(number)
    assert outbox.send_due_deliveries() == 20
    assert len(bots.received) == 20 and len(bots.paths) == 20  # the bot refused none
    bots.accepted_at.clear()
    Channel.objects.update(tried_at=[], free_at=timezone.now())  # a minute later
    assert outbox.send_due_deliveries() == 5
    assert len(bots.received) == 25


def send_repeatedly(attempts: int) -> None:
    for _ in range(attempts):
        make_everything_due()
        outbox.send_due_deliveries()


def test_one_rejection_is_retried(bots: FakeChatBots) -> None:
    create_channel("群", "wecom", bots.wecom)
    fire()
    bots.queued_replies = [(404, {})]
    outbox.send_due_deliveries()
    channel = Channel.objects.get()
    assert channel.is_enabled and channel.rejections == 1 and not bots.received
    send_repeatedly(1)
    channel.refresh_from_db()
    assert len(bots.received) == 1 and channel.rejecting_since is None


def test_channel_that_rejects_for_long_is_disabled_and_its_fallback_used_once(bots: FakeChatBots) -> None:
    fallback = create_channel("备用", "wecom", bots.wecom, is_default=False)
    broken = Channel.objects.create(
        name="群",
        kind="dingtalk",
        fallback=fallback,
        secrets=encrypt_secrets({"address": bots.dingtalk, "key": "SEC-no"}),
    )
    alert = fire()
    send_repeatedly(7)
    [text] = bots.get_message_texts()
    assert "原定渠道“群”未送达" in text and "310000" in text and "事件 1" in text
    kinds = list(alert.timeline.values_list("kind", flat=True))
    assert kinds.count("undelivered") == kinds.count("delivered") == 1
    assert Channel.objects.get(pk=broken.pk).is_enabled  # not for a minute of rejections
    Channel.objects.filter(pk=broken.pk).update(rejecting_since=timezone.now() - timedelta(hours=1))
    fire(2)
    send_repeatedly(2)
    broken.refresh_from_db()
    assert not broken.is_enabled and "310000" in broken.disabled_reason
    assert len(bots.received) == 2
    fire(3)  # the next alert is sent to the fallback directly
    send_repeatedly(1)
    assert len(bots.received) == 3 and "原定渠道" not in bots.get_message_texts()[2]


def test_circular_fallbacks_end(bots: FakeChatBots) -> None:
    first = create_channel("一", "dingtalk", f"{bots.url}/robot/send?access_token=gone")
    second = create_channel(
        "二", "wecom", f"{bots.url}/cgi-bin/webhook/send?key=gone", is_default=False, fallback=first
    )
    Channel.objects.filter(pk=first.pk).update(fallback=second)
    alert = fire()
    send_repeatedly(20)
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.GIVEN_UP}
    assert alert.timeline.filter(kind=AlertNote.Kind.UNDELIVERED).count() == 2


def test_waiting_messages_of_a_disabled_channel_go_to_its_fallback(bots: FakeChatBots) -> None:
    fallback = create_channel("备用", "wecom", bots.wecom, is_default=False)
    create_channel("群", "dingtalk", f"{bots.url}/robot/send?access_token=gone", fallback=fallback)
    for number in range(3):
        fire(number)
    Channel.objects.filter(name="群").update(rejecting_since=timezone.now() - timedelta(hours=1), rejections=9)
    send_repeatedly(3)
    assert len(bots.received) == 3 and not Channel.objects.get(name="群").is_enabled


@pytest.mark.parametrize(("has_spare", "attempts"), [(True, 6), (False, 12)])
def test_attempts_are_bounded_and_fewer_with_a_fallback(has_spare: bool, attempts: int, bots: FakeChatBots) -> None:
    fallback = create_channel("备用", "wecom", bots.wecom, is_default=False) if has_spare else None
    create_channel("群", "dingtalk", f"{bots.url}/nowhere-yet", fallback=fallback)
    fire()
    for _ in range(attempts):
        bots.queued_replies = [(503, {})]
        make_everything_due()
        outbox.send_due_deliveries()
    assert Delivery.objects.get(channel__name="群").state == Delivery.State.GIVEN_UP
    assert Channel.objects.get(name="群").is_enabled
    assert len(bots.received) == int(has_spare)


def test_messages_of_an_alert_are_sent_in_order(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    bots.queued_replies = [(503, {})]
    alert = fire()
    outbox.send_due_deliveries()
    resolve_alert(alert)
    Channel.objects.update(free_at=timezone.now())
    assert outbox.send_due_deliveries() == 0
    make_everything_due()
    assert outbox.send_due_deliveries() == 2
    assert ["触发" in text for text in bots.get_message_texts()] == [True, False]


def test_concurrent_senders_send_each_message_once(bots: FakeChatBots, settings: Any) -> None:
    settings.ALERT_MESSAGES_PER_MINUTE = bots.per_minute = 1000
    for number in range(3):
        create_channel(f"群 {number}", "dingtalk", bots.dingtalk)
    for number in range(8):
        fire(number)

    def send() -> None:
        try:
            while Delivery.objects.waiting().exists():
                outbox.send_due_deliveries()
        finally:
            connection.close()

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    texts = bots.get_message_texts()
    assert len(texts) == len(set(texts)) == 24


def test_slow_channel_does_not_delay_others(bots: FakeChatBots) -> None:
    with FakeChatBots() as slow:
        slow.may_respond.clear()
        create_channel("慢", "wecom", slow.wecom)
        create_channel("快", "dingtalk", bots.dingtalk)
        fire(1)
        fire(2)

        def send() -> None:
            outbox.send_due_deliveries()
            connection.close()

        stuck = threading.Thread(target=send)
        stuck.start()
        wait_until(lambda: slow.paths, "the slow robot's turn")
        outbox.send_due_deliveries()
        assert len(bots.received) == 2 and len(slow.paths) == 1
        slow.may_respond.set()
        stuck.join()
    assert not Delivery.objects.waiting().exists()


def test_silence_summary_is_sent_to_the_default_channels(bots: FakeChatBots) -> None:
    create_channel("群", "dingtalk", bots.dingtalk)
    with transaction.atomic():
        outbox.enqueue_text_message("静默结束：发布", "期间 2 条通知未发出：\n- #1 错误率过高：已解除", "warning")
    outbox.send_due_deliveries()
    [text] = bots.get_message_texts()
    assert "【警告·静默汇总】静默结束：发布" in text and "- ＃1 错误率过高：已解除" in text
