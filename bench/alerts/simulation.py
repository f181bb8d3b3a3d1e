"""The simulation of healthy days with incidents, through the real evaluator on real samples.

Threshold 5 %, healthy 2 %, incident 20 % for 30 minutes, four a day; calls arrive as a Poisson process at 2, 10 and 60
a minute, spread over two processes that are restarted in the middle of the day. The ten days of a volume are ten
platforms that live through the same hours, each with a rule of its own, so one tick evaluates thirty rules.

    python -m bench.alerts.simulation [--seed N] [--hours H] [--days N]
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.alerts.database import use_own_database
from bench.figures import Figure, report

VOLUMES = (2, 10, 60)  # calls a minute
HEALTHY, TROUBLED = 0.02, 0.20
INCIDENT = timedelta(minutes=30)
HOURS_BETWEEN_INCIDENTS = 6
MOST_FALSE_ALARMS_A_DAY = 1.5


@dataclass
class Volume:
    """What became of one volume: incidents that were injected and found, alarms without one, seconds until told."""

    calls_a_minute: int
    days: float
    injected: int = 0
    found: int = 0
    false: int = 0
    repeated: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def false_a_day(self) -> float:
        """Alarms while nothing was wrong."""
        return self.false / self.days


@dataclass(frozen=True)
class Day:
    """One day of one platform: its name, its volume, when its incidents begin."""

    platform: str
    calls_a_minute: int
    incidents: tuple[datetime, ...]


def simulate(*, seed: int, days: int = 10, hours: int = 24, every: int = 1) -> list[Volume]:
    """Live through it, evaluating every so many ticks. Needs the site's tables, and leaves its rows there."""
    from monitoring.evaluator import evaluate_now
    from monitoring.tests.history import BUCKET, NOON

    chance = random.Random(seed)
    plans = [_plan(chance, volume, number, NOON, hours) for volume in VOLUMES for number in range(days)]
    ticks = int(timedelta(hours=hours) / BUCKET)
    _write(chance, plans, NOON, ticks)
    for plan in plans:
        _make_rule(plan)
    for tick in range(1, ticks + 1, every):
        evaluate_now(NOON + tick * BUCKET + timedelta(seconds=1))
    return [_judge(volume, plans, days * hours / 24) for volume in VOLUMES]


def _plan(chance: random.Random, volume: int, number: int, start: datetime, hours: int) -> Day:
    """An incident in every six hours, not in the first half hour, over before the six hours are."""
    every = HOURS_BETWEEN_INCIDENTS * 3600
    latest = min(every, hours * 3600) - INCIDENT.total_seconds() - 1800
    begins = [chance.uniform(1800, latest) + n * every for n in range(max(1, hours // HOURS_BETWEEN_INCIDENTS))]
    return Day(f"v{volume}-d{number}", volume, tuple(start + timedelta(seconds=one) for one in begins))


def _write(chance: random.Random, plans: list[Day], start: datetime, ticks: int) -> None:
    from monitoring.tests.history import BUCKET, make_process, write_calls

    middle = ticks // 2
    for first, last in ((0, middle), (middle, ticks)):
        for _ in range(2):
            process = make_process(start + first * BUCKET, start + last * BUCKET)
            for plan in plans:
                calls = [_calls(chance, plan, start + number * BUCKET) for number in range(first, last)]
                write_calls(process, start + first * BUCKET, calls, platform=plan.platform)


def _calls(chance: random.Random, plan: Day, moment: datetime) -> tuple[int, int]:
    """(valid, failed) of one of two processes in a bucket of 15 s."""
    share = TROUBLED if any(begin <= moment < begin + INCIDENT for begin in plan.incidents) else HEALTHY
    left, calls = plan.calls_a_minute / 8, -1
    while left >= 0:  # Poisson: exponential gaps
        left -= chance.expovariate(1)
        calls += 1
    failed = sum(chance.random() < share for _ in range(calls))
    return calls - failed, failed


def _make_rule(plan: Day) -> None:
    from monitoring.models import Rule

    of_platform = {"label": "platform", "op": "=", "values": [plan.platform]}
    Rule.objects.create(
        name=plan.platform,
        title=plan.platform,
        kind="ratio",
        metric="diagnosis_calls_total",
        matchers=[of_platform, {"label": "outcome", "op": "!=", "values": ["valid"]}],
        denominator="diagnosis_calls_total",
        denominator_matchers=[of_platform],
        threshold=0.05,
        resolve_threshold=0.03,
    )


def _judge(volume: int, plans: list[Day], days: float) -> Volume:
    """An alert counts for the incident that it fired in; one that fired in none is false, however soon after one."""
    from monitoring.models import Alert

    result = Volume(volume, days)
    for plan in (one for one in plans if one.calls_a_minute == volume):
        fired = [alert.fired_at for alert in Alert.objects.filter(rule_name=plan.platform).order_by("fired_at")]
        result.injected += len(plan.incidents)
        for begin in plan.incidents:
            inside = [at for at in fired if begin <= at < begin + INCIDENT]
            result.found += bool(inside)
            result.repeated += max(0, len(inside) - 1)
            result.delays += [(inside[0] - begin).total_seconds()] if inside else []
            fired = [at for at in fired if at not in inside]
        result.false += len(fired)
    return result


def measure_simulation(seed: int = 20_260_227, *, days: int = 10, hours: int = 24) -> list[Figure]:
    """Ten simulated days a volume: false alarms, and incidents found while they last."""
    use_own_database()
    started = time.monotonic()
    volumes = simulate(seed=seed, days=days, hours=hours)
    seconds = time.monotonic() - started
    return [_figure(one, seconds, seed) for one in volumes]


def _figure(volume: Volume, seconds: float, seed: int) -> Figure:
    delays = sorted(volume.delays)
    told = (
        f"told after {delays[len(delays) // 2] / 60:.1f} min (median), {delays[-1] / 60:.1f} (most)" if delays else ""
    )
    return Figure(
        f"simulated {volume.days:g} days at {volume.calls_a_minute} calls/min (seed {seed})",
        f"<= {MOST_FALSE_ALARMS_A_DAY} false alarms a day, every incident found while it lasts",
        f"{volume.false_a_day:.2f} a day; {volume.found} of {volume.injected}; {told}; "
        f"{volume.repeated} fired again; all volumes in {seconds:.0f} s",
        volume.false_a_day <= MOST_FALSE_ALARMS_A_DAY and volume.found == volume.injected,
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=20_260_227)
    arguments.add_argument("--hours", type=int, default=24, help="of a day (default 24)")
    arguments.add_argument("--days", type=int, default=10, help="of each volume (default 10)")
    chosen = arguments.parse_args()
    sys.exit(
        report(
            "alerts-simulation",
            [lambda: measure_simulation(chosen.seed, days=chosen.days, hours=chosen.hours)],
        )
    )
