"""Sites with 3 to 1,000 diagnoses a day: when a failure is told, and what is told when nothing happens.

Runs the rules' own decisions (monitoring/rules/decision.py) and the check of platforms
(diagnosis/platforms/problems.py) on simulated answers in memory, so that a month takes seconds. A diagnosis asks four
platforms nine times each within 40 s. Healthy is 2 % failed answers. The parameters were chosen on the seeds 1, 2, 3
and 20261130; the bench runs SEED, which was not looked at before.

    python -m bench.alerts.volumes [--seed N] [--volumes 3,10]
"""

import argparse
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

import django

from bench.harness import BenchmarkResult, info_only, run_measurements

SEED = 20_261_201
VOLUMES_PER_DAY = (3, 10, 30, 100, 1000)
PLATFORMS = "abcd"
ANSWERS_PER_PLATFORM, RUN_SECONDS = 9, 40.0
HEALTHY_SHARE = 0.02
STEADY_MULTIPLES = (0.5, 0.75, 0.9, 1.25, 1.5, 2.0)
START = datetime(2026, 3, 2, tzinfo=UTC)
BUCKET, MINUTE, DAY = timedelta(seconds=15), timedelta(minutes=1), timedelta(days=1)
SAMPLE_DELAY = 2 * BUCKET

FailureShare = Callable[[datetime, str], float]


@dataclass
class SimulatedSite:
    """The answers (at, platform, has failed) and the ends of diagnoses (at, has failed), in order of time."""

    answers: list[tuple[datetime, str, bool]] = field(default_factory=list)
    ends: list[tuple[datetime, bool]] = field(default_factory=list)


def simulate_site(rng: random.Random, per_day: int, days: float, share: FailureShare) -> SimulatedSite:
    """Simulate diagnoses that begin at random moments."""
    site, at = SimulatedSite(), START
    while (at := at + DAY * rng.expovariate(per_day)) < START + days * DAY:
        moments = [
            (at + timedelta(seconds=rng.uniform(2, RUN_SECONDS)), platform)
            for platform in PLATFORMS
            for _ in range(ANSWERS_PER_PLATFORM)
        ]
        answers = [(moment, platform, rng.random() < share(moment, platform)) for moment, platform in moments]
        site.answers += answers
        site.ends.append((max(moment for moment, _ in moments), all(failed for *_, failed in answers)))
    site.answers.sort()
    site.ends.sort()
    return site


def run_rule(
    name: str, events: list[tuple[datetime, bool]], until: datetime, tick: timedelta
) -> list[tuple[datetime, str]]:
    """Return the actions of a default rule on (at, has failed)."""
    from monitoring.rules.decision import AlertAction, EvaluationState, decide
    from monitoring.rules.defaults import DEFAULT_RULES
    from monitoring.rules.ending_series import build_ending_series
    from monitoring.rules.evidence import RuleParameters

    names = {each.name for each in fields(RuleParameters)}
    parameters = RuleParameters(**{key: value for key, value in DEFAULT_RULES[name].items() if key in names})
    counts_failed = parameters.comparison == ">"
    series = build_ending_series(
        [(_ceil(at), 1.0) for at, failed in events if failed is counts_failed], [(_ceil(at), 1.0) for at, _ in events]
    )
    state, actions, now = EvaluationState(), [], START + tick
    while now <= until:
        moment = now - SAMPLE_DELAY
        since = None if state.resolved_at is None else state.resolved_at - SAMPLE_DELAY
        evidence = series.build_evidence(parameters, moment, since=since, recovered_since=state.recovered_since)
        decision = decide(parameters, state, evidence, now)
        state = decision.new_state
        if decision.action is not AlertAction.NOTHING:
            actions.append((now, decision.action.value))
        now += tick
    return actions


def _ceil(at: datetime) -> datetime:
    return START + BUCKET * (int((at - START) / BUCKET) + 1)


def find_first_failing(site: SimulatedSite, platform: str, *, since: datetime) -> datetime | None:
    """Return the first evaluation after `since` that finds the platform failing; evaluations are 15 s apart."""
    from diagnosis.platforms.problems import RECENT_ANSWERS, is_failing

    recent: list[bool] = []
    for at, name, failed in site.answers:
        if name != platform:
            continue
        recent = [failed, *recent[: RECENT_ANSWERS - 1]]
        if at >= since and failed and is_failing(recent):
            return _ceil(at)
    return None


def measure_total_failure(seed: int, per_day: int) -> BenchmarkResult:
    """Everything fails from the fourth day on."""
    rng = random.Random(f"total {seed} {per_day}")
    begin = START + 4 * DAY
    site = simulate_site(rng, per_day, 4 + max(1.5, 8 / per_day), lambda at, _: 1.0 if at >= begin else HEALTHY_SHARE)
    failed_ends = [at for at, failed in site.ends if failed]
    until = failed_ends[min(5, len(failed_ends) - 1)] + timedelta(hours=1)
    told = [
        at
        for name, events in (
            ("high_error_rate", [(at, failed) for at, _, failed in site.answers if at <= until]),
            ("low_success_rate", [event for event in site.ends if event[0] <= until]),
        )
        for at, action in run_rule(name, events, until, BUCKET)
        if action == "fire" and at >= begin
    ]
    told += [at for name in PLATFORMS if (at := find_first_failing(site, name, since=begin))]
    first = min(told, default=None)
    if first is None:
        return BenchmarkResult(f"total failure, {per_day} diagnoses a day", "told", "not told", is_held=False)
    failures, minutes = (
        sum(at <= first for at in failed_ends),
        (first - min(at for at, *_ in site.answers if at >= begin)) / MINUTE,
    )
    return BenchmarkResult(
        f"total failure is told, {per_day} diagnoses a day (seed {seed})",
        "within 3 failed diagnoses or 10 minutes, whichever is later",
        f"after {failures} failed diagnoses, {minutes:.1f} min after the first failed answer",
        failures <= 3 or minutes <= 10,
    )


def measure_partial_incident(seed: int, per_day: int) -> BenchmarkResult:
    """One of four platforms is down from the fourth day on."""
    rng = random.Random(f"partial {seed} {per_day}")
    begin = START + 4 * DAY
    site = simulate_site(
        rng, per_day, 4 + max(1.0, 6 / per_day), lambda at, name: 1.0 if name == "d" and at >= begin else HEALTHY_SHARE
    )
    named = find_first_failing(site, "d", since=begin)
    failed = [at for at, name, has_failed in site.answers if name == "d" and has_failed and at >= begin]
    before = sum(at <= named - BUCKET for at in failed) if named else len(failed)
    return BenchmarkResult(
        f"one of four platforms down is named, {per_day} diagnoses a day (seed {seed})",
        "within 5 failed answers of it (or in the evaluation that follows, every 15 s)",
        f"{before} failed answers before the last 15 s" if named else "not named",
        named is not None and before <= 5,
    )


def measure_steady_states(seed: int, per_day: int) -> list[BenchmarkResult]:
    """Steady shares of failed answers on both sides of the threshold."""
    days = 10 if per_day < 1000 else 3
    most, false_resolutions, worst_burn = 0.0, 0, 0.0
    for multiple in STEADY_MULTIPLES:
        rng = random.Random(f"steady {seed} {per_day} {multiple}")
        site = simulate_site(rng, per_day, days, lambda _at, _name, share=0.05 * multiple: share)  # type: ignore[misc]
        events = [(at, failed) for at, _, failed in site.answers]
        actions = run_rule("high_error_rate", events, START + days * DAY, MINUTE)
        most = max(most, len(actions) / days)
        false_resolutions += sum(action == "resolve" for _, action in actions) if multiple > 1 else 0
        worst_burn = max(worst_burn, len(run_burn_rates(events, START + days * DAY)) / days)
    shares = " ... ".join(f"{multiple:g}x" for multiple in (STEADY_MULTIPLES[0], STEADY_MULTIPLES[-1]))
    return [
        BenchmarkResult(
            f"steady {shares} of the threshold, {per_day} diagnoses a day (seed {seed})",
            "<= 6 messages a day; none resolved while the true share is above the threshold",
            f"at most {most:.1f} messages a day; {false_resolutions} false resolutions",
            most <= 6 and not false_resolutions,
        ),
        info_only(
            f"the same with multi-window burn rates, {per_day} diagnoses a day", f"{worst_burn:.1f} messages a day"
        ),
    ]


def measure_healthy_days(seed: int, per_day: int) -> BenchmarkResult:
    """Thirty healthy days."""
    rng = random.Random(f"healthy {seed} {per_day}")
    days = 30
    site = simulate_site(rng, per_day, days, lambda _at, _name: HEALTHY_SHARE)
    until = START + days * DAY
    events = [(at, failed) for at, _, failed in site.answers]
    fired = sum(action == "fire" for _, action in run_rule("high_error_rate", events, until, MINUTE))
    fired += sum(action == "fire" for _, action in run_rule("low_success_rate", site.ends, until, MINUTE))
    fired += sum(find_first_failing(site, name, since=START) is not None for name in PLATFORMS)
    burn = sum(action == "fire" for _, action in run_burn_rates(events, until))
    return BenchmarkResult(
        f"false alarms on {days} healthy days, {per_day} diagnoses a day (seed {seed})",
        "<= 0.1 a day",
        f"{fired / days:.2f} a day (burn rates: {burn / days:.2f})",
        fired / days <= 0.1,
    )


def run_burn_rates(events: list[tuple[datetime, bool]], until: datetime) -> list[tuple[datetime, str]]:
    """Return the actions of multi-window burn rates (Site Reliability Workbook, chapter 5), for comparison.

    The budget is the threshold of 5 %. Fires when both windows of a pair burn it faster than its rate, resolves when
    none does.
    """
    from monitoring.rules.ending_series import build_ending_series

    pairs = (
        (2.0, timedelta(hours=1), timedelta(minutes=5)),
        (1.0, timedelta(hours=6), timedelta(minutes=30)),
        (1.0, timedelta(days=3), timedelta(hours=6)),
    )
    series = build_ending_series(
        [(_ceil(at), float(failed)) for at, failed in events], [(_ceil(at), 1.0) for at, _ in events]
    )
    actions, is_open, now = [], False, START + MINUTE

    def burns(window: timedelta, rate: float) -> bool:
        sums = series.sum_between(now - window, now)
        return sums.denominator > 0 and sums.numerator / sums.denominator > 0.05 * rate

    while now <= until:
        is_burning = any(burns(long, rate) and burns(short, rate) for rate, long, short in pairs)
        if is_burning is not is_open:
            is_open = is_burning
            actions.append((now, "fire" if is_open else "resolve"))
        now += MINUTE
    return actions


def measure_volumes(seed: int, volumes: tuple[int, ...] = VOLUMES_PER_DAY) -> list[BenchmarkResult]:
    """Measure every figure at every volume."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    django.setup()
    results: list[BenchmarkResult] = []
    for per_day in volumes:
        results += [measure_total_failure(seed, per_day), measure_partial_incident(seed, per_day)]
        results += [*measure_steady_states(seed, per_day), measure_healthy_days(seed, per_day)]
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--volumes", default=",".join(map(str, VOLUMES_PER_DAY)))
    chosen = parser.parse_args()
    per_days = tuple(int(text) for text in chosen.volumes.split(","))
    sys.exit(run_measurements("alerts-volumes", [("volumes", lambda: measure_volumes(chosen.seed, per_days))]))
