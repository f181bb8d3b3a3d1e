"""Messages are written with their alert, sent at least once, in order, not too fast, and handed over when need be."""

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
from testing.fake_chat_bots import SIGNING_SECRET, FakeChatBots
from testing.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def robots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as found:
        yield found


@pytest.fixture(autouse=True)
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry waits as long as its jitter allows; by chance it could be due within the same look."""
    monkeypatch.setattr("errors.retry.random.uniform", lambda least, most: most)


def channel(name: str, kind: str, address: str, **fields: Any) -> Channel:
    secrets = encrypt_secrets({"address": address, "key": SIGNING_SECRET})
    return Channel.objects.create(name=name, kind=kind, secrets=secrets, **fields)


def fire(number: int = 1) -> Alert:
    alert = fire_alert(fingerprint=f"test:{number}", title=f"事件 {number}", severity="error", labels={"brand": "甲"})
    assert alert
    return alert


def time_passes() -> None:
    """What waits for a later time is due now."""
    now = timezone.now()
    Delivery.objects.update(due_at=now)
    Channel.objects.update(free_at=now)


def test_an_alert_reaches_every_default_channel_once_and_says_so(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    channel("企业群", "wecom", robots.wecom)
    channel("旁", "feishu", robots.feishu, is_default=False)
    alert = fire()
    assert outbox.send_due_deliveries() == 2
    assert outbox.send_due_deliveries() == 0
    assert len(robots.received) == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.SENT}
    assert alert.timeline.filter(kind=AlertNote.Kind.DELIVERED).count() == 2
    assert all("事件 1" in text and "甲" in text for text in robots.get_message_texts())


def test_a_message_is_written_in_the_transaction_of_its_alert(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        fire()
        _ = 1 / 0
    assert not Delivery.objects.exists()
    assert outbox.send_due_deliveries() == 0


def test_nobody_to_tell_is_no_error() -> None:
    alert = fire()
    assert alert.is_open and not Delivery.objects.exists()
    assert outbox.enqueue_text_message("标题", "内容", "info") == []


def test_the_channels_of_a_rule_come_before_the_default_ones(robots: FakeChatBots) -> None:
    from monitoring.models import Rule

    channel("默认", "dingtalk", robots.dingtalk)
    own = channel("规则的", "wecom", robots.wecom, is_default=False)
    rule = Rule.objects.create(name="a", kind=Rule.Kind.GAUGE, metric="x", threshold=1)
    rule.channels.add(own)
    fire_alert(fingerprint="rule:a", title="甲", severity="error", rule=rule)
    assert list(Delivery.objects.values_list("channel__name", flat=True)) == ["规则的"]
    Channel.objects.filter(pk=own.pk).update(is_enabled=False)
    assert [one.name for one in outbox.select_channels(rule)] == ["默认"]


def test_a_busy_robot_is_tried_again_later_and_then_told(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    robots.queued_replies = [(200, {"errcode": -1, "errmsg": "系统繁忙"})]
    alert = fire()
    assert outbox.send_due_deliveries() == 1
    waiting = Delivery.objects.get()
    assert waiting.state == Delivery.State.WAITING and waiting.provider_code == "-1" and "系统繁忙" in waiting.reason
    time_passes()
    outbox.send_due_deliveries()
    sent = Delivery.objects.get()
    assert sent.state == Delivery.State.SENT and sent.attempts == 2 and sent.reason == ""
    assert alert.timeline.filter(kind=AlertNote.Kind.UNDELIVERED).count() == 0


def test_a_robot_that_asks_to_slow_down_is_left_alone_for_a_minute(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    robots.queued_replies = [(200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})]
    fire(1)
    outbox.send_due_deliveries()
    fire(2)
    assert outbox.send_due_deliveries() == 0
    assert Channel.objects.get().free_at > timezone.now() + timedelta(seconds=55)


def test_no_more_than_twenty_messages_a_minute_go_to_a_robot_and_none_is_lost(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    for number in range(25):
        fire(number)
    assert outbox.send_due_deliveries() == 20
    assert len(robots.received) == 20 and len(robots.paths) == 20  # it never had to refuse one
    robots.accepted_at.clear()
    Channel.objects.update(tried_at=[], free_at=timezone.now())  # a minute later
    assert outbox.send_due_deliveries() == 5
    assert len(robots.received) == 25


def test_a_wrong_key_disables_the_channel_and_the_fallback_is_told_once(robots: FakeChatBots) -> None:
    spare = channel("备用", "wecom", robots.wecom, is_default=False)
    broken = Channel.objects.create(
        name="群",
        kind="dingtalk",
        fallback=spare,
        secrets=encrypt_secrets({"address": robots.dingtalk, "key": "SEC-no"}),
    )
    alert = fire()
    outbox.send_due_deliveries()
    broken.refresh_from_db()
    assert not broken.is_enabled and "310000" in broken.disabled_reason
    [text] = robots.get_message_texts()
    assert "原定渠道“群”未送达" in text and "310000" in text and "事件 1" in text
    kinds = list(alert.timeline.values_list("kind", flat=True))
    assert kinds.count("undelivered") == kinds.count("delivered") == 1
    fire(2)  # the next one goes there at once
    outbox.send_due_deliveries()
    assert len(robots.received) == 2 and "原定渠道" not in robots.get_message_texts()[1]


def test_fallbacks_never_go_in_circles(robots: FakeChatBots) -> None:
    first = channel("一", "dingtalk", f"{robots.url}/robot/send?access_token=gone")
    second = channel("二", "wecom", f"{robots.url}/cgi-bin/webhook/send?key=gone", is_default=False, fallback=first)
    Channel.objects.filter(pk=first.pk).update(fallback=second)
    alert = fire()
    outbox.send_due_deliveries()
    assert len(robots.paths) == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.GIVEN_UP}
    assert alert.timeline.filter(kind=AlertNote.Kind.UNDELIVERED).count() == 2


def test_what_waits_for_a_channel_that_is_disabled_goes_to_its_fallback(robots: FakeChatBots) -> None:
    spare = channel("备用", "wecom", robots.wecom, is_default=False)
    channel("群", "dingtalk", f"{robots.url}/robot/send?access_token=gone", fallback=spare)
    for number in range(3):
        fire(number)
    outbox.send_due_deliveries()
    assert len(robots.received) == 3 and len(robots.paths) == 4


@pytest.mark.parametrize(("has_spare", "attempts"), [(True, 6), (False, 12)])
def test_attempts_are_bounded_and_fewer_when_somebody_else_can_be_told(
    has_spare: bool, attempts: int, robots: FakeChatBots
) -> None:
    spare = channel("备用", "wecom", robots.wecom, is_default=False) if has_spare else None
    channel("群", "dingtalk", f"{robots.url}/nowhere-yet", fallback=spare)
    fire()
    for _ in range(attempts):
        robots.queued_replies = [(503, {})]
        time_passes()
        outbox.send_due_deliveries()
    assert Delivery.objects.get(channel__name="群").state == Delivery.State.GIVEN_UP
    assert Channel.objects.get(name="群").is_enabled
    assert len(robots.received) == int(has_spare)


def test_the_end_of_an_incident_is_not_told_before_its_beginning(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    robots.queued_replies = [(503, {})]
    alert = fire()
    outbox.send_due_deliveries()
    resolve_alert(alert)
    Channel.objects.update(free_at=timezone.now())
    assert outbox.send_due_deliveries() == 0
    time_passes()
    assert outbox.send_due_deliveries() == 2
    assert ["触发" in text for text in robots.get_message_texts()] == [True, False]


def test_several_senders_at_once_send_each_message_once(robots: FakeChatBots, settings: Any) -> None:
    settings.ALERT_MESSAGES_PER_MINUTE = robots.per_minute = 1000
    for number in range(3):
        channel(f"群 {number}", "dingtalk", robots.dingtalk)
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
    texts = robots.get_message_texts()
    assert len(texts) == len(set(texts)) == 24


def test_a_slow_channel_holds_up_no_other(robots: FakeChatBots) -> None:
    with FakeChatBots() as slow:
        slow.may_respond.clear()
        channel("慢", "wecom", slow.wecom)
        channel("快", "dingtalk", robots.dingtalk)
        fire(1)
        fire(2)

        def send() -> None:
            outbox.send_due_deliveries()
            connection.close()

        stuck = threading.Thread(target=send)
        stuck.start()
        wait_until(lambda: slow.paths, "the slow robot's turn")
        outbox.send_due_deliveries()
        assert len(robots.received) == 2 and len(slow.paths) == 1
        slow.may_respond.set()
        stuck.join()
    assert not Delivery.objects.waiting().exists()


def test_the_summary_of_a_silence_reaches_the_default_channels(robots: FakeChatBots) -> None:
    channel("群", "dingtalk", robots.dingtalk)
    with transaction.atomic():
        outbox.enqueue_text_message("静默结束：发布", "期间 2 条通知未发出：\n- #1 错误率过高：已解除", "warning")
    outbox.send_due_deliveries()
    [text] = robots.get_message_texts()
    assert "【警告·静默汇总】静默结束：发布" in text and "- ＃1 错误率过高：已解除" in text
