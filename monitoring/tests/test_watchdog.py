"""Stopped heartbeats are reported once, and so is their recovery."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from monitoring import watchdog
from monitoring.delivery.channel_secrets import encrypt_secrets
from monitoring.heartbeats import EVALUATOR_HEARTBEAT, SENDER_HEARTBEAT, beat
from monitoring.models import Alert, Channel, Delivery, Heartbeat, Rule, RuleState
from monitoring.rules.evaluator import run_evaluation
from monitoring.watchdog import check_heartbeats, create_expected_heartbeats
from testing.fakes.chat_bots import SIGNING_SECRET, FakeChatBots
from testing.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bots() -> Iterator[FakeChatBots]:
    with FakeChatBots() as bots:
        Channel.objects.create(
            name="群", kind="dingtalk", secrets=encrypt_secrets({"address": bots.dingtalk, "key": SIGNING_SECRET})
        )
        yield bots


def backdate_heartbeat(name: str, seconds: float) -> None:
    Heartbeat.objects.filter(name=name).update(beaten_at=timezone.now() - timedelta(seconds=seconds))


def test_heartbeat_older_than_two_intervals_is_reported(bots: FakeChatBots) -> None:
    beat(EVALUATOR_HEARTBEAT, 15)
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 20)
    assert check_heartbeats() == 0
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 31)
    assert check_heartbeats() == 1
    [text] = bots.get_message_texts()
    assert "告警规则不再被计算" in text and "每 15 秒" in text
    assert Alert.objects.get().source == Alert.Source.WATCHDOG


def test_concurrent_watchers_open_one_alert(bots: FakeChatBots) -> None:
    beat(SENDER_HEARTBEAT, 15)
    backdate_heartbeat(SENDER_HEARTBEAT, 60)

    def watch() -> None:
        check_heartbeats()
        connection.close()

    watchers = [threading.Thread(target=watch) for _ in range(6)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join()
    check_heartbeats()
    assert Alert.objects.count() == len(bots.received) == 1


def test_recovered_heartbeat_resolves_the_alert(bots: FakeChatBots) -> None:
    beat(EVALUATOR_HEARTBEAT, 15)
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 60)
    check_heartbeats()
    beat(EVALUATOR_HEARTBEAT, 15)
    check_heartbeats()
    alert = Alert.objects.get()
    assert not alert.is_open
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 60)
    assert check_heartbeats() == 1  # stopped again: another alert
    assert Alert.objects.open().count() == 1
    assert ["已解除" in text for text in bots.get_message_texts()] == [False, True, False]


def test_open_alert_is_repeated_after_hours(bots: FakeChatBots) -> None:
    beat(EVALUATOR_HEARTBEAT, 15)
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 60)
    check_heartbeats()
    Alert.objects.update(notified_at=timezone.now() - timedelta(hours=5))
    check_heartbeats()
    check_heartbeats()
    assert ["仍未解除" in text for text in bots.get_message_texts()] == [False, True]


def test_missing_evaluator_of_a_new_site_is_reported_after_the_grace_period(bots: FakeChatBots, settings: Any) -> None:
    settings.WATCHDOG_GRACE_SECONDS = 60
    create_expected_heartbeats()
    assert check_heartbeats() == 0
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 31)  # as if the grace period had ended long ago
    create_expected_heartbeats()
    assert check_heartbeats() == 1
    assert "从未" in bots.get_message_texts()[0]


def test_grace_period_only_resolves_alerts(bots: FakeChatBots) -> None:
    beat(EVALUATOR_HEARTBEAT, 15)
    beat(SENDER_HEARTBEAT, 15)
    backdate_heartbeat(EVALUATOR_HEARTBEAT, 3600)
    check_heartbeats(is_grace_period=True)
    assert not Alert.objects.exists()
    check_heartbeats()
    beat(EVALUATOR_HEARTBEAT, 15)
    check_heartbeats(is_grace_period=True)
    assert not Alert.objects.open().exists()


def test_evaluator_heartbeat_pings_the_external_monitor(bots: FakeChatBots, settings: Any) -> None:
    settings.HEARTBEAT_PING_URL = f"{bots.url}/ping/secret"
    beat(SENDER_HEARTBEAT, 15)
    beat(EVALUATOR_HEARTBEAT, 15)
    wait_until(lambda: bots.paths == ["/ping/secret"], "the ping")


def test_watchdog_loop_continues_after_database_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop alone; a killed evaluator under real processes is in bench/tests/test_alert_delivery.py."""
    calls: list[bool] = []

    def check(*, is_grace_period: bool) -> int:
        calls.append(is_grace_period)
        if len(calls) == 1:
            raise ConnectionError("the database is unavailable")
        return 0

    async def run_until_checked() -> None:
        loop = asyncio.create_task(watchdog.run_watchdog_loop())
        async with asyncio.timeout(30):
            while len(calls) < 3:
                await asyncio.sleep(0.02)
        loop.cancel()

    monkeypatch.setattr(watchdog, "check_heartbeats", check)
    monkeypatch.setattr(watchdog, "MAX_CHECK_INTERVAL_SECONDS", 0.05)
    asyncio.run(run_until_checked())
    assert all(calls)  # within WATCHDOG_GRACE_SECONDS of the start


def test_rules_that_fail_and_lost_messages_are_reported_once(bots: FakeChatBots) -> None:
    rule = Rule.objects.create(name="broken", title="坏", kind="gauge", metric="gone", threshold=1)
    now = timezone.now()
    RuleState.objects.create(rule=rule, state="failed", since=now - timedelta(minutes=1), evaluated_at=now)
    channel = Channel.objects.get()
    Delivery.objects.create(channel=channel, kind="fired", message={}, state="given_up")
    for _ in range(2):
        check_heartbeats()
    assert set(Alert.objects.open().values_list("rule_name", flat=True)) == {"rules_failed", "messages_lost"}
    assert len(bots.received) == 2 and any("broken" in text for text in bots.get_message_texts())
    RuleState.objects.update(state="ok")
    check_heartbeats()
    assert set(Alert.objects.open().values_list("rule_name", flat=True)) == {"messages_lost"}


def test_skipped_rules_and_a_clock_that_was_set_back_are_reported(bots: FakeChatBots) -> None:
    Rule.objects.create(name="runs", title="好", kind="gauge", metric="diagnosis_running", threshold=1)
    now = timezone.now()
    run_evaluation(now - timedelta(minutes=2))
    check_heartbeats()
    assert Alert.objects.open().get().rule_name == "rules_skipped"
    run_evaluation(now + timedelta(hours=2))
    assert len(run_evaluation(now)) == 1  # evaluated again at once
    check_heartbeats()
    assert Alert.objects.open().get().rule_name == "clock"
