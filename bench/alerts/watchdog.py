"""Kill the evaluator: after how many of its intervals does the watching process notify?

A real site (`manage.py serve --concurrency 0`) watches an evaluator in a separate process, which is killed with
`kill -9`; the notified channel is a real HTTP server as strict as DingTalk.

    python -m bench.alerts.watchdog [--interval SECONDS] [--times N]
"""

import argparse
import sys
import time
from dataclasses import dataclass

from bench.harness import BenchmarkResult, run_measurements
from testing.services import running_services

EVALUATOR_SCRIPT = """
import time
from monitoring.rules.evaluator import run_evaluation
from monitoring.heartbeats import EVALUATOR_HEARTBEAT, beat
while True:
    run_evaluation()
    beat(EVALUATOR_HEARTBEAT, {interval_seconds})
    time.sleep({interval_seconds})
"""
HEARTBEAT_QUERY = "SELECT 1 FROM monitoring_heartbeat WHERE name = 'evaluator' AND interval_seconds = %s"
STOPPED_TEXT, RESOLVED_TEXT = "告警规则不再被计算", "已解除"


@dataclass(frozen=True)
class EvaluatorOutage:
    """The intervals from the kill to the notification, and whether the recovery was notified too."""

    intervals_until_notified: float
    is_recovery_notified: bool


def kill_evaluator(*, interval_seconds: float) -> EvaluatorOutage:
    """Run it on a new database of the running PostgreSQL (`testing.services`)."""
    from testing.data.alert_channels import create_default_channel
    from testing.fakes.chat_bots import SIGNING_SECRET, FakeChatBots
    from testing.services import wait_until
    from testing.site import SiteProcess, create_database, running_site

    database = create_database()
    with FakeChatBots() as robots, running_site(address=database, concurrency=0, WATCHDOG_GRACE_SECONDS="0") as site:
        create_default_channel(database, "dingtalk", robots.dingtalk, SIGNING_SECRET)
        command = EVALUATOR_SCRIPT.format(interval_seconds=interval_seconds)
        with SiteProcess(["shell", "-c", command], database) as evaluator:
            wait_until(lambda: site.query(HEARTBEAT_QUERY, interval_seconds), "the first evaluation")
            evaluator.kill()
            killed_at = time.monotonic()
            wait_until(
                lambda: any(STOPPED_TEXT in text for text in robots.get_message_texts()),
                "the message",
                10 * interval_seconds + 60,
            )
            intervals = (time.monotonic() - killed_at) / interval_seconds
            evaluator.start()
            wait_until(lambda: any(RESOLVED_TEXT in text for text in robots.get_message_texts()), "its return")
        return EvaluatorOutage(intervals, len(robots.received) == 2)


def check_dead_evaluator_alert(interval_seconds: float = 15.0, times: int = 2) -> BenchmarkResult:
    """Measure the time until the notification of a killed evaluator."""
    outages = [kill_evaluator(interval_seconds=interval_seconds) for _ in range(times)]
    worst = max(outage.intervals_until_notified for outage in outages)
    measured = f"{worst:.2f} intervals of {interval_seconds:g} s (worst of {times})"
    is_held = worst <= 3 and all(outage.is_recovery_notified for outage in outages)
    return BenchmarkResult("notification after the evaluator is killed", "within 3 intervals", measured, is_held)


def main() -> int:
    """Run the bench by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    with running_services():
        return run_measurements(
            "alerts-watchdog", [("watchdog", lambda: check_dead_evaluator_alert(options.interval, options.times))]
        )


if __name__ == "__main__":
    sys.exit(main())
