"""Decisions of rules: measurements, thresholds, delays, and invariants over random inputs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.rules.decision import (
    AlertAction,
    Decision,
    DecisionReason,
    EvaluationState,
    ThresholdVerdict,
    compare_with_threshold,
    decide,
    get_z_quantile,
    measure,
    select_candidates,
)
from monitoring.rules.ending_series import EndingSeries
from monitoring.rules.evidence import RuleEvidence, RuleParameters, WindowSums
from performance.intervals import exact_interval, wilson_interval

START = datetime(2026, 2, 27, 12, tzinfo=UTC)
TICK = timedelta(seconds=15)
RATIO = RuleParameters(resolve_threshold=0.03)
HEALTHY, BREACHED = (1, 100), (40, 100)  # failed and all calls in each 15 s
NONE: tuple[int, int] = (0, 0)

Counts = tuple[int, int]


def run_decisions(counts_by_tick: Sequence[Counts], parameters: RuleParameters = RATIO) -> list[Decision]:
    """Evaluate after every 15 s, each time from the state after the previous evaluation."""
    series = EndingSeries((START + n * TICK, *counts) for n, counts in enumerate(counts_by_tick) if counts[1])
    first = next((n for n, counts in enumerate(counts_by_tick) if counts[1]), len(counts_by_tick))
    state, decisions = EvaluationState(), []
    for number in range(len(counts_by_tick)):
        until = START + number * TICK
        evidence = series.build_evidence(
            parameters, until, since=state.resolved_at, recovered_since=state.recovered_since
        )
        decisions.append(decide(parameters, state, evidence if number >= first else RuleEvidence(until), until))
        state = decisions[-1].new_state
    return decisions


def list_actions(decisions: list[Decision]) -> list[str]:
    return [decision.action.value for decision in decisions if decision.action is not AlertAction.NOTHING]


def find_verdict(parameters: RuleParameters, sums: WindowSums) -> ThresholdVerdict:
    """Return the verdict on one window of a closed rule."""
    return compare_with_threshold(parameters, EvaluationState(), RuleEvidence(START, [sums]))[1]


def test_wilson_interval_equals_published_values() -> None:
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148, 0/20, 1/29 at 95 % two-sided."""
    z = get_z_quantile(0.975)
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, trials), (low, high) in published.items():
        assert wilson_interval(successes, trials, z) == pytest.approx((low, high), abs=5e-5)


def test_quantile_of_95_percent() -> None:
    assert get_z_quantile(0.95) == pytest.approx(1.645, abs=5e-4)


def test_exact_interval_equals_published_values() -> None:
    """Newcombe (1998), table I, method 5 (Clopper and Pearson)."""
    published = {
        (81, 263): (0.2527, 0.3676),
        (15, 148): (0.0578, 0.1617),
        (0, 20): (0, 0.1684),
        (1, 29): (0.0009, 0.1776),
    }
    for (successes, trials), (low, high) in published.items():
        assert exact_interval(successes, trials, 0.975) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
@settings(print_blob=True)
def test_interval_contains_the_share_and_stays_between_zero_and_one(counts: tuple[int, int], level: float) -> None:
    low, high = exact_interval(*counts, level)
    assert 0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1


def test_numerator_above_denominator_counts_as_all() -> None:
    """The samples of two metrics may be one flush apart."""
    measured = measure(RATIO, WindowSums(300, 61, 60), 0.95)
    assert (measured.value, measured.high) == (1.0, 1.0)


def test_value_above_the_threshold_is_no_breach_if_the_bound_is_below() -> None:
    assert find_verdict(RATIO, WindowSums(300, 5, 50)) is ThresholdVerdict.CLEAR  # 10 %
    assert find_verdict(RATIO, WindowSums(300, 10, 50)) is ThresholdVerdict.BREACH


def test_rule_below_compares_the_upper_bound() -> None:
    below = RuleParameters(comparison="<", threshold=0.9)
    assert find_verdict(below, WindowSums(300, 41, 50)) is ThresholdVerdict.CLEAR  # 82 %
    assert find_verdict(below, WindowSums(300, 33, 50)) is ThresholdVerdict.BREACH


def test_narrowest_window_with_enough_samples_counts() -> None:
    assert RATIO.windows == [300, 600, 1200, 1800]
    window_sums = [WindowSums(300, 1, 10), WindowSums(600, 2, 30), WindowSums(1200, 3, 55), WindowSums(1800, 4, 90)]
    assert [sums.window_seconds for sums, _ in select_candidates(RATIO, RuleEvidence(START, window_sums))] == [1200]
    assert [sums.window_seconds for sums, _ in select_candidates(RATIO, RuleEvidence(START, window_sums[:2]))] == [600]


def test_windows_of_invalid_rules_are_finite() -> None:
    assert RuleParameters(window_seconds=0, widest_window_seconds=4).windows == [1, 2, 4]
    assert RuleParameters(window_seconds=600, widest_window_seconds=300).windows == [600]


def test_bounds_of_a_mean_narrow_with_the_count() -> None:
    mean = RuleParameters(kind="mean", threshold=10, confidence=0.95)
    assert find_verdict(mean, WindowSums(300, 96, 8)) is ThresholdVerdict.CLEAR
    assert find_verdict(mean, WindowSums(300, 4800, 400)) is ThresholdVerdict.BREACH


def test_gauge_is_compared_exactly() -> None:
    gauge = RuleParameters(kind="gauge", threshold=100)
    assert find_verdict(gauge, WindowSums(0, 101, 1)) is ThresholdVerdict.BREACH
    assert find_verdict(gauge, WindowSums(0, 100, 1)) is ThresholdVerdict.CLEAR


def test_last_endings_count_on_a_quiet_site() -> None:
    """One failed call every four hours: no window ever holds two."""
    decisions = run_decisions(([(0, 1)] + [NONE] * 959) * 3 + ([(1, 1)] + [NONE] * 959) * 6)
    fired = [n for n, decision in enumerate(decisions) if decision.action is AlertAction.FIRE]
    assert len(fired) == 1 and fired[0] < 960 * 8
    measurement = decisions[fired[0]].measurement
    assert (measurement.numerator, measurement.denominator) == (5, 8) and measurement.window_seconds > 24 * 3600
    assert list_actions(run_decisions([(1, 1)] + [NONE] * 2000, replace(RATIO, evidence_days=0))) == []


def test_rule_fires_after_its_delay_and_resolves_when_recovered() -> None:
    decisions = run_decisions([HEALTHY] * 30 + [BREACHED] * 30 + [HEALTHY] * 60)
    assert list_actions(decisions) == ["fire", "resolve"]
    fired = [decision.action for decision in decisions].index(AlertAction.FIRE)
    assert decisions[fired - 1].reason is DecisionReason.BREACHED_NOT_LONG_ENOUGH and 34 <= fired <= 40
    resolved = decisions[[decision.action for decision in decisions].index(AlertAction.RESOLVE)]
    assert resolved.measurement.value is not None and resolved.measurement.value < 0.03
    assert resolved.new_state.peak_value is not None and resolved.new_state.peak_value > 0.2


def test_steady_rate_above_the_threshold_is_no_recovery() -> None:
    """6 % in groups of one to three: short runs without failures do not resolve the alert."""
    day = [(3, 10)] * 20 + [(0, 10), (0, 10), (0, 10), (2, 10), (1, 10)] * 1000
    assert list_actions(run_decisions(day)) == ["fire"]


def test_short_recovery_does_not_resolve() -> None:
    assert list_actions(run_decisions([BREACHED] * 9 + ([HEALTHY] * 7 + [BREACHED]) * 5)) == ["fire"]


def test_samples_before_a_resolution_do_not_fire_again() -> None:
    assert list_actions(run_decisions([BREACHED] * 30 + [HEALTHY] * 400)) == ["fire", "resolve"]


def test_cooldown_delays_the_next_alert() -> None:
    decisions = run_decisions([BREACHED] * 9 + [HEALTHY] * 20 + [BREACHED] * 60)
    fired = [number for number, decision in enumerate(decisions) if decision.action is AlertAction.FIRE]
    resolved = [number for number, decision in enumerate(decisions) if decision.action is AlertAction.RESOLVE]
    assert (fired[1] - resolved[0]) * 15 >= 300
    assert decisions[fired[1] - 1].reason is DecisionReason.COOLING_DOWN


def test_breach_before_a_pause_of_the_evaluations_does_not_count() -> None:
    breach = RuleEvidence(START, [WindowSums(300, 30, 100)])
    first = decide(RATIO, EvaluationState(), breach, START)
    assert first.new_state.breached_since == START
    later = decide(RATIO, first.new_state, breach, START + timedelta(hours=1))
    assert later.action is AlertAction.NOTHING and later.new_state.breached_since == START + timedelta(hours=1)


def test_alert_is_repeated_less_and_less_until_acknowledged() -> None:
    hourly = replace(RATIO, repeat_seconds=3600)
    decisions = run_decisions([BREACHED] * (10 + 4 * 240), hourly)
    assert list_actions(decisions) == ["fire", "repeat", "repeat"]  # after 1 and 3 hours
    open_state = next(each.new_state for each in decisions if each.action is AlertAction.FIRE)
    breach = RuleEvidence(START, [WindowSums(300, 30, 100)])
    tomorrow = START + timedelta(days=1)
    assert decide(hourly, replace(open_state, evaluated_at=tomorrow), breach, tomorrow).action is AlertAction.REPEAT
    seen = replace(open_state, evaluated_at=tomorrow, is_acknowledged=True)
    assert decide(hourly, seen, breach, tomorrow).action is AlertAction.NOTHING
    assert list_actions(run_decisions([BREACHED] * 500, replace(hourly, repeat_seconds=0))) == ["fire"]


def test_alert_without_new_calls_is_not_repeated_and_ends() -> None:
    """Two failed diagnoses, then nobody uses the site."""
    decisions = run_decisions([(9, 9), (9, 9)] + [NONE] * 8000, replace(RATIO, repeat_seconds=3600, evidence_days=0.25))
    assert list_actions(decisions) == ["fire", "resolve"]
    assert decisions[[each.action for each in decisions].index(AlertAction.RESOLVE)].reason is DecisionReason.STALE


@pytest.mark.parametrize(("policy", "expected"), [("keep", ["fire"]), ("ok", ["fire", "resolve"]), ("alert", ["fire"])])
def test_no_data_policy(policy: str, expected: list[str]) -> None:
    gauge = RuleParameters(kind="gauge", threshold=10, no_data=policy)
    state, actions = EvaluationState(), []
    for number in range(30):
        now = START + number * TICK
        decision = decide(gauge, state, RuleEvidence(now, [WindowSums(0, 20, 1)] if number < 6 else ()), now)
        state = decision.new_state
        actions += [decision.action.value] if decision.action is not AlertAction.NOTHING else []
    assert actions == expected


def test_no_data_can_fire() -> None:
    decisions = run_decisions([NONE] * 6, replace(RATIO, no_data="alert"))
    assert list_actions(decisions) == ["fire"]
    assert decisions[-1].reason is DecisionReason.NO_DATA


def test_state_without_enough_samples() -> None:
    assert run_decisions([NONE])[0].new_state.state == "no_data"
    assert run_decisions([(3, 5)])[0].new_state.state == "insufficient"


counts_by_tick = st.lists(st.sampled_from([HEALTHY, BREACHED, (5, 100), (3, 5), NONE]), min_size=1, max_size=150)
parameter_sets = st.builds(
    RuleParameters,
    resolve_threshold=st.sampled_from([None, 0.03]),
    for_seconds=st.sampled_from([0, 15, 60, 300]),
    keep_firing_seconds=st.sampled_from([0, 15, 120]),
    cooldown_seconds=st.sampled_from([0, 60, 600]),
    repeat_seconds=st.sampled_from([0, 30, 600]),
)


@given(counts_by_tick, parameter_sets)
@settings(print_blob=True, max_examples=100)
def test_alerts_fire_and_resolve_in_order_after_their_delays(counts: list[Counts], parameters: RuleParameters) -> None:
    decisions = run_decisions(counts, parameters)
    actions = [action for action in list_actions(decisions) if action != "repeat"]
    assert actions == (["fire", "resolve"] * len(actions))[: len(actions)]  # one open alert at most
    ends = [n for n, decision in enumerate(decisions) if decision.action is AlertAction.RESOLVE]
    fires = [n for n, decision in enumerate(decisions) if decision.action is AlertAction.FIRE]
    assert all((again - end) * 15 >= parameters.cooldown_seconds for end, again in zip(ends, fires[1:], strict=False))
    for number in fires:
        lasted = decisions[number - parameters.for_seconds // 15 : number + 1]
        assert {each.verdict for each in lasted} == {ThresholdVerdict.BREACH}
    for number in ends:
        assert decisions[number].verdict is ThresholdVerdict.CLEAR
        value = decisions[number].measurement.value
        assert value is not None and value <= (parameters.resolve_threshold or parameters.threshold)
    told = [n for n, decision in enumerate(decisions) if decision.action in (AlertAction.FIRE, AlertAction.REPEAT)]
    repeats = {n for n in told if decisions[n].action is AlertAction.REPEAT}
    assert all((b - a) * 15 >= parameters.repeat_seconds > 0 for a, b in pairwise(told) if b in repeats)
