"""Under `kill -9` of real processes: no alert is lost, and a dead evaluator is reported."""

from typing import Any

from bench.alerts.kills import kill_sender_repeatedly
from bench.alerts.watchdog import kill_evaluator


def test_no_alert_is_lost_when_the_sender_is_killed(record_property: Any) -> None:
    report = kill_sender_repeatedly(alerts=20, kills=3, seed=1)
    record_property("messages repeated in 3 kills of the sender", report.repeats)
    assert report.kills and report.lost == 0 and report.repeats <= report.kills


def test_dead_evaluator_is_reported_within_three_intervals(record_property: Any) -> None:
    outage = kill_evaluator(interval_seconds=6.0)  # a busy machine has 4 s to be late
    record_property("intervals until a dead evaluator is reported", round(outage.intervals_until_notified, 2))
    assert outage.intervals_until_notified <= 3 and outage.is_recovery_notified
