"""Simulated healthy days with incidents, evaluated by the real evaluator on real samples.

Threshold 5 %, healthy 2 %, incident 20 % for 30 minutes, four per day; calls arrive as a Poisson process at 2, 10 and
60 per minute, spread over two processes that are restarted in the middle of the day. The ten days of a volume are ten
platforms over the same hours, each with its own rule, so one tick evaluates thirty rules.

    python -m bench.alerts.simulation [--seed N] [--hours H] [--days N]
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements

CALL_VOLUMES_PER_MINUTE = (2, 10, 60)
HEALTHY_FAILURE_RATE, INCIDENT_FAILURE_RATE = 0.02, 0.20
INCIDENT_DURATION = timedelta(minutes=30)
HOURS_BETWEEN_INCIDENTS = 6
MAX_FALSE_ALARMS_PER_DAY = 1.5


@dataclass
class VolumeResult:
    """The result of one volume: injected and detected incidents, false alarms, seconds until each alert.

    still_open: incidents during the alert of an earlier one, which count as detected: nobody was told that it is over.
    """

    calls_per_minute: int
    days: float
    injected: int = 0
    detected: int = 0
    false_alarms: int = 0
    refired: int = 0
    still_open: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def false_alarms_per_day(self) -> float:
        """Alerts outside incidents."""
        return self.false_alarms / self.days


@dataclass(frozen=True)
class PlatformDay:
    """One day of one platform: its name, its volume, the starts of its incidents."""

    platform: str
    calls_per_minute: int
    incidents: tuple[datetime, ...]


def simulate_alerts(*, seed: int, days: int = 10, hours: int = 24, tick_step: int = 1) -> list[VolumeResult]:
    """Simulate and evaluate every tick_step-th tick. Needs the site's tables, and leaves its rows in them."""
    from monitoring.rules.evaluator import run_evaluation
    from testing.data.samples import BUCKET, NOON

    rng = random.Random(seed)
    plans = [
        _plan_day(rng, volume, number, NOON, hours) for volume in CALL_VOLUMES_PER_MINUTE for number in range(days)
    ]
    ticks = int(timedelta(hours=hours) / BUCKET)
    _write_samples(rng, plans, NOON, ticks)
    for plan in plans:
        _create_rule(plan)
    for tick in range(1, ticks + 1, tick_step):
        run_evaluation(NOON + tick * BUCKET + timedelta(seconds=1))
    return [_score_volume(volume, plans, days * hours / 24) for volume in CALL_VOLUMES_PER_MINUTE]


def _plan_day(rng: random.Random, volume: int, number: int, start: datetime, hours: int) -> PlatformDay:
    """Plan one incident in every six hours, neither in the first half hour nor across the end."""
    every = HOURS_BETWEEN_INCIDENTS * 3600
    latest = min(every, hours * 3600) - INCIDENT_DURATION.total_seconds() - 1800
    offsets = [rng.uniform(1800, latest) + n * every for n in range(max(1, hours // HOURS_BETWEEN_INCIDENTS))]
    incidents = tuple(start + timedelta(seconds=offset) for offset in offsets)
    return PlatformDay(f"v{volume}-d{number}", volume, incidents)


def _write_samples(rng: random.Random, plans: list[PlatformDay], start: datetime, ticks: int) -> None:
    from testing.data.samples import BUCKET, make_process, write_calls

    middle = ticks // 2
    for first, last in ((0, middle), (middle, ticks)):
        for _ in range(2):
            process = make_process(start + first * BUCKET, start + last * BUCKET)
            for plan in plans:
                calls = [_draw_calls(rng, plan, start + number * BUCKET) for number in range(first, last)]
                write_calls(process, start + first * BUCKET, calls, platform=plan.platform)


def _draw_calls(rng: random.Random, plan: PlatformDay, moment: datetime) -> tuple[int, int]:
    """Return (valid, failed) of one of two processes in a bucket of 15 s."""
    share = (
        INCIDENT_FAILURE_RATE
        if any(begin <= moment < begin + INCIDENT_DURATION for begin in plan.incidents)
        else HEALTHY_FAILURE_RATE
    )
    left, calls = plan.calls_per_minute / 8, -1
    while left >= 0:  # Poisson: exponential gaps
        left -= rng.expovariate(1)
        calls += 1
    failed = sum(rng.random() < share for _ in range(calls))
    return calls - failed, failed


def _create_rule(plan: PlatformDay) -> None:
    from monitoring.models import Rule

    on_platform = {"label": "platform", "op": "=", "values": [plan.platform]}
    Rule.objects.create(
        name=plan.platform,
        title=plan.platform,
        kind="ratio",
        metric="diagnosis_calls_total",
        matchers=[on_platform, {"label": "outcome", "op": "!=", "values": ["valid"]}],
        denominator="diagnosis_calls_total",
        denominator_matchers=[on_platform],
        threshold=0.05,
        resolve_threshold=0.03,
    )


def _score_volume(volume: int, plans: list[PlatformDay], days: float) -> VolumeResult:
    """Score the alerts of a volume: each counts for the incident in which it fired; any other is a false alarm."""
    from monitoring.models import Alert

    result = VolumeResult(volume, days)
    for plan in (plan for plan in plans if plan.calls_per_minute == volume):
        alerts = list(Alert.objects.filter(rule_name=plan.platform).order_by("fired_at"))
        fired = [alert.fired_at for alert in alerts]
        result.injected += len(plan.incidents)
        for begin in plan.incidents:
            inside = [at for at in fired if begin <= at < begin + INCIDENT_DURATION]
            still_open = any(a.fired_at < begin and (a.resolved_at is None or a.resolved_at > begin) for a in alerts)
            result.detected += bool(inside) or still_open
            result.still_open += still_open and not inside
            result.refired += max(0, len(inside) - 1)
            result.delays += [(inside[0] - begin).total_seconds()] if inside else []
            fired = [at for at in fired if at not in inside]
        result.false_alarms += len(fired)
    return result


def measure_simulation(seed: int = 20_260_227, *, days: int = 10, hours: int = 24) -> list[BenchmarkResult]:
    """Simulate ten days per volume: false alarms, and incidents detected while they last."""
    start_bench_database()
    started = time.monotonic()
    volumes = simulate_alerts(seed=seed, days=days, hours=hours)
    seconds = time.monotonic() - started
    return [_build_result(volume, seconds, seed) for volume in volumes]


def _build_result(volume: VolumeResult, seconds: float, seed: int) -> BenchmarkResult:
    delays = sorted(volume.delays)
    delay_text = (
        f"alert after {delays[len(delays) // 2] / 60:.1f} min (median), {delays[-1] / 60:.1f} min (maximum)"
        if delays
        else ""
    )
    return BenchmarkResult(
        f"simulated {volume.days:g} days at {volume.calls_per_minute} calls/min (seed {seed})",
        f"<= {MAX_FALSE_ALARMS_PER_DAY} false alarms a day, every incident detected while it lasts",
        f"{volume.false_alarms_per_day:.2f} a day; {volume.detected} of {volume.injected}; {delay_text}; "
        f"{volume.refired} fired again, {volume.still_open} during an open alert; all volumes in {seconds:.0f} s",
        volume.false_alarms_per_day <= MAX_FALSE_ALARMS_PER_DAY and volume.detected == volume.injected,
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=20_260_227)
    arguments.add_argument("--hours", type=int, default=24, help="hours per day (default 24)")
    arguments.add_argument("--days", type=int, default=10, help="days per volume (default 10)")
    chosen = arguments.parse_args()
    sys.exit(
        run_measurements(
            "alerts-simulation",
            [("simulated days", lambda: measure_simulation(chosen.seed, days=chosen.days, hours=chosen.hours))],
        )
    )
