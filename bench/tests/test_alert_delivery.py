"""Under `kill -9` of real processes: no alert is lost, and somebody is told when the evaluator is gone."""

from typing import Any

from bench.alerts.kills import kill_sender_repeatedly
from bench.alerts.watchdog import kill_evaluator


def test_no_alert_is_lost_when_the_sender_is_killed(record_property: Any) -> None:
    found = kill_sender_repeatedly(alerts=20, kills=3, seed=1)
    record_property("messages repeated in 3 kills of the sender", found.repeats)
    assert found.kills and found.lost == 0 and found.repeats <= found.kills


def test_somebody_is_told_within_three_intervals_of_the_evaluators_death(record_property: Any) -> None:
    found = kill_evaluator(interval_seconds=6.0)  # a busy machine has 4 s to be late
    record_property(
        "intervals until somebody is told that the evaluator is dead", round(found.intervals_until_notified, 2)
    )
    assert found.intervals_until_notified <= 3 and found.is_recovery_notified
