"""The decision itself: what fires, what does not, and what never may, whatever comes."""

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
    RuleParameters,
    ThresholdVerdict,
    WindowSums,
    compare_with_threshold,
    compute_measurement,
    decide,
    get_z_quantile,
    wilson_interval,
)

START = datetime(2026, 2, 27, 12, tzinfo=UTC)
TICK = timedelta(seconds=15)
RATIO = RuleParameters(resolve_threshold=0.03)
HEALTHY, TROUBLED, MIDDLING = (2, 100), (30, 100), (7, 100)  # its lower bound is between 3 and 5 %
FEW, NOTHING = (3, 5), None

Look = tuple[int, int] | None


def sums(look: Look, parameters: RuleParameters = RATIO) -> list[WindowSums]:
    return [] if look is None else [WindowSums(window, *look) for window in parameters.windows]


def run_decisions(
    look_lists: Sequence[Look], parameters: RuleParameters = RATIO, state: EvaluationState | None = None
) -> list[Decision]:
    """Evaluate every 15 s, each time from the state after the previous evaluation."""
    state, decisions = state or EvaluationState(), []
    for number, look in enumerate(look_lists):
        decisions.append(decide(parameters, state, sums(look, parameters), START + number * TICK))
        state = decisions[-1].new_state
    return decisions


def list_actions(decisions: list[Decision]) -> list[str]:
    return [decision.action.value for decision in decisions if decision.action is not AlertAction.NOTHING]


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


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
@settings(print_blob=True)
def test_interval_contains_the_share_and_stays_between_zero_and_one(counts: tuple[int, int], level: float) -> None:
    low, high = wilson_interval(*counts, get_z_quantile(level))
    assert 0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1


def test_numerator_above_denominator_counts_as_all() -> None:
    """Two metrics may be a flush apart."""
    measurements = compute_measurement(RATIO, [WindowSums(300, 61, 60)])
    assert (measurements.value, measurements.high) == (1.0, 1.0)


def test_value_above_the_threshold_is_no_breach_if_the_bound_is_below() -> None:
    measurements = compute_measurement(RATIO, [WindowSums(300, 4, 50)])
    assert measurements.value == 0.08 and measurements.low is not None and measurements.low < 0.05
    assert compare_with_threshold(RATIO, measurements, has_data=True) is ThresholdVerdict.BETWEEN


def test_rule_below_compares_the_upper_bound() -> None:
    below = RuleParameters(comparison="<", threshold=0.9)
    assert (
        compare_with_threshold(below, compute_measurement(below, [WindowSums(300, 43, 50)]), has_data=True)
        is ThresholdVerdict.CLEAR
    )  # 86 %, high 92 %
    assert (
        compare_with_threshold(below, compute_measurement(below, [WindowSums(300, 35, 50)]), has_data=True)
        is ThresholdVerdict.BREACH
    )


def test_window_widens_until_there_are_enough_samples() -> None:
    assert RATIO.windows == [300, 600, 1200, 1800]
    look_lists = [WindowSums(300, 1, 10), WindowSums(600, 2, 30), WindowSums(1200, 3, 55), WindowSums(1800, 4, 90)]
    assert compute_measurement(RATIO, look_lists).window_seconds == 1200
    assert compute_measurement(RATIO, look_lists[:2]).window_seconds == 600  # never enough: the widest


def test_windows_of_invalid_rules_are_finite() -> None:
    assert RuleParameters(window_seconds=0, widest_window_seconds=4).windows == [1, 2, 4]
    assert RuleParameters(window_seconds=600, widest_window_seconds=300).windows == [600]


def test_bounds_of_a_mean_narrow_with_the_count() -> None:
    mean = RuleParameters(kind="mean", threshold=10)
    few, many = (
        compute_measurement(mean, [WindowSums(300, 96, 8)]),
        compute_measurement(mean, [WindowSums(300, 4800, 400)]),
    )
    assert few.value == many.value == 12
    assert compare_with_threshold(mean, few, has_data=True) is ThresholdVerdict.CLEAR
    assert compare_with_threshold(mean, many, has_data=True) is ThresholdVerdict.BREACH


def test_gauge_is_compared_exactly() -> None:
    gauge = RuleParameters(kind="gauge", threshold=100)
    assert (
        compare_with_threshold(gauge, compute_measurement(gauge, [WindowSums(0, 101, 1)]), has_data=True)
        is ThresholdVerdict.BREACH
    )
    assert (
        compare_with_threshold(gauge, compute_measurement(gauge, [WindowSums(0, 100, 1)]), has_data=True)
        is ThresholdVerdict.CLEAR
    )


def test_rule_fires_and_resolves_after_its_delays() -> None:
    decisions = run_decisions([HEALTHY] * 2 + [TROUBLED] * 8 + [HEALTHY] * 10)
    assert list_actions(decisions) == ["fire", "resolve"]
    assert [decision.action for decision in decisions].index(AlertAction.FIRE) == 2 + 4  # 60 s
    assert [decision.action for decision in decisions].index(AlertAction.RESOLVE) == 10 + 8  # 120 s
    assert decisions[5].new_state.state == "pending" and decisions[5].reason is DecisionReason.BREACHED_NOT_LONG_ENOUGH


def test_between_the_thresholds_nothing_fires_or_resolves() -> None:
    assert list_actions(run_decisions([MIDDLING] * 20)) == []
    assert list_actions(run_decisions([TROUBLED] * 5 + [MIDDLING] * 40)) == ["fire"]


def test_short_recovery_does_not_resolve() -> None:
    assert list_actions(run_decisions([TROUBLED] * 5 + ([HEALTHY] * 7 + [TROUBLED]) * 5)) == ["fire"]


def test_cooldown_delays_the_next_alert() -> None:
    decisions = run_decisions([TROUBLED] * 5 + [HEALTHY] * 9 + [TROUBLED] * 40)
    fired = [number for number, decision in enumerate(decisions) if decision.action is AlertAction.FIRE]
    resolved = [number for number, decision in enumerate(decisions) if decision.action is AlertAction.RESOLVE]
    assert (fired[1] - resolved[0]) * 15 == 300
    assert decisions[fired[1] - 1].reason is DecisionReason.COOLING_DOWN


def test_alert_is_repeated_until_acknowledged() -> None:
    hourly = replace(RATIO, repeat_seconds=3600)
    assert list_actions(run_decisions([TROUBLED] * (4 + 2 * 240 + 1), hourly)) == ["fire", "repeat", "repeat"]
    seen_to = EvaluationState("firing", START, is_open=True, notified_at=START, is_acknowledged=True)
    assert list_actions(run_decisions([TROUBLED] * 500, hourly, seen_to)) == []
    assert list_actions(run_decisions([TROUBLED] * 500, replace(hourly, repeat_seconds=0))) == ["fire"]


@pytest.mark.parametrize(("policy", "expected"), [("keep", ["fire"]), ("ok", ["fire", "resolve"]), ("alert", ["fire"])])
def test_no_data_policy(policy: str, expected: list[str]) -> None:
    assert list_actions(run_decisions([TROUBLED] * 5 + [NOTHING] * 20, replace(RATIO, no_data=policy))) == expected


def test_no_data_can_fire() -> None:
    decisions = run_decisions([NOTHING] * 6, replace(RATIO, no_data="alert"))
    assert list_actions(decisions) == ["fire"]
    assert decisions[-1].reason is DecisionReason.NO_DATA


def test_state_without_enough_samples() -> None:
    assert run_decisions([NOTHING])[0].new_state.state == "no_data"
    assert run_decisions([FEW])[0].new_state.state == "insufficient"


look_lists = st.lists(st.sampled_from([HEALTHY, TROUBLED, MIDDLING, FEW, NOTHING]), min_size=1, max_size=120)
parameter_sets = st.builds(
    RuleParameters,
    resolve_threshold=st.sampled_from([None, 0.03]),
    for_seconds=st.sampled_from([0, 15, 60, 300]),
    keep_firing_seconds=st.sampled_from([0, 15, 120]),
    cooldown_seconds=st.sampled_from([0, 60, 600]),
    repeat_seconds=st.sampled_from([0, 30, 600]),
)


@given(look_lists, parameter_sets)
@settings(print_blob=True, max_examples=150)
def test_alerts_fire_and_resolve_in_order_after_their_delays(
    measurements: list[Look], parameters: RuleParameters
) -> None:
    decisions = run_decisions(measurements, parameters)
    actions = [action for action in list_actions(decisions) if action != "repeat"]
    assert actions == (["fire", "resolve"] * len(actions))[: len(actions)]  # one open alert at most
    for number, decision in enumerate(decisions):
        if decision.action is AlertAction.FIRE:
            lasted = decisions[number - parameters.for_seconds // 15 : number + 1]
            assert {each.verdict for each in lasted} == {ThresholdVerdict.BREACH}
        if decision.action is AlertAction.RESOLVE:
            lasted = decisions[number - parameters.keep_firing_seconds // 15 : number + 1]
            assert {each.verdict for each in lasted} == {ThresholdVerdict.CLEAR}
        if decision.verdict in (ThresholdVerdict.INSUFFICIENT, ThresholdVerdict.NO_DATA):
            assert decision.action in (AlertAction.NOTHING, AlertAction.REPEAT)


@given(look_lists, parameter_sets)
@settings(print_blob=True, max_examples=100)
def test_cooldown_and_repeat_interval_are_kept(measurements: list[Look], parameters: RuleParameters) -> None:
    decisions = run_decisions(measurements, parameters)
    ends = [n for n, decision in enumerate(decisions) if decision.action is AlertAction.RESOLVE]
    fires = [n for n, decision in enumerate(decisions) if decision.action is AlertAction.FIRE]
    assert all((again - end) * 15 >= parameters.cooldown_seconds for end, again in zip(ends, fires[1:], strict=False))
    actions = [n for n, decision in enumerate(decisions) if decision.action in (AlertAction.FIRE, AlertAction.REPEAT)]
    repeats = {n for n in actions if decisions[n].action is AlertAction.REPEAT}
    assert all((b - a) * 15 >= parameters.repeat_seconds > 0 for a, b in pairwise(actions) if b in repeats)
