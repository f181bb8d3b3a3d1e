"""Kill the evaluator: after how many of its intervals is somebody told, by the process that watches?

A real site (`manage.py serve --concurrency 0`) watches an evaluator that is a process of its own, which is killed with
`kill -9`; who is told is a real HTTP server that is as strict as DingTalk.

    python -m bench.alerts.watchdog [--interval SECONDS] [--times N]
"""

import argparse
import sys
import time
from dataclasses import dataclass

from bench.alerts.services import add_channel, own_services
from bench.figures import Figure, report

EVALUATE = """
import time
from monitoring.evaluator import evaluate_now
from monitoring.watchdog import EVALUATOR, beat
while True:
    evaluate_now()
    beat(EVALUATOR, {interval_seconds})
    time.sleep({interval_seconds})
"""
BEATEN = "SELECT 1 FROM monitoring_heartbeat WHERE name = 'evaluator' AND interval_seconds = %s"
STOPPED, BACK = "告警规则不再被计算", "已解除"


@dataclass(frozen=True)
class Death:
    """How long after the kill somebody was told, in intervals; and whether they were told when it was back."""

    intervals: float
    is_told_of_its_return: bool


def kill_the_evaluator(*, interval_seconds: float) -> Death:
    """Live through it on a new database of the running PostgreSQL (`diagsite.tests.services`)."""
    from diagsite.tests.services import wait_until
    from diagsite.tests.site import Process, new_database, running_site
    from monitoring.tests.robots import SIGNED_WITH, Robots

    database = new_database()
    with Robots() as robots, running_site(address=database, concurrency=0, WATCHDOG_GRACE_SECONDS="0") as site:
        add_channel(database, "dingtalk", robots.dingtalk, SIGNED_WITH)
        command = EVALUATE.format(interval_seconds=interval_seconds)
        with Process(["shell", "-c", command], database) as evaluator:
            wait_until(lambda: site.query(BEATEN, interval_seconds), "the first evaluation")
            evaluator.kill()
            killed_at = time.monotonic()
            wait_until(
                lambda: any(STOPPED in text for text in robots.texts()), "the message", 10 * interval_seconds + 60
            )
            intervals = (time.monotonic() - killed_at) / interval_seconds
            evaluator.start()
            wait_until(lambda: any(BACK in text for text in robots.texts()), "its return")
        return Death(intervals, len(robots.received) == 2)


def told_of_a_dead_evaluator(interval_seconds: float = 15.0, times: int = 2) -> Figure:
    """The evaluator is killed."""
    deaths = [kill_the_evaluator(interval_seconds=interval_seconds) for _ in range(times)]
    worst = max(death.intervals for death in deaths)
    measured = f"{worst:.2f} intervals of {interval_seconds:g} s at worst of {times}"
    is_held = worst <= 3 and all(death.is_told_of_its_return for death in deaths)
    return Figure("evaluator killed: somebody is told", "within 3 intervals", measured, is_held)


def main() -> int:
    """Run it by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=float, default=15.0)
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    with own_services():
        return report("alerts-watchdog", [lambda: told_of_a_dead_evaluator(options.interval, options.times)])


if __name__ == "__main__":
    sys.exit(main())
