"""Short forms of the alert benches: simulated incidents, and the time of one evaluation."""

from collections.abc import Iterator
from typing import Any

import pytest

from bench.alerts.simulation import simulate_alerts
from bench.alerts.speed import create_samples_and_rules, time_evaluations
from errors.recording import error_recorder
from testing.services import get_load_factor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clear_recorder() -> Iterator[None]:
    error_recorder.clear()
    yield
    error_recorder.clear()


def test_simulation_alerts_only_during_the_incident() -> None:
    """`make bench-alerts` simulates ten days per volume."""
    volumes = simulate_alerts(seed=20_260_228, days=1, hours=2, tick_step=3)
    assert [(volume.injected, volume.detected, volume.false_alarms) for volume in volumes[1:]] == [(1, 1, 0)] * 2
    # With two calls per minute the alert may come a minute too late to count as detected.
    assert volumes[0].detected + volumes[0].false_alarms == 1


def test_hundred_rules_are_evaluated_within_a_second(record_property: Any) -> None:
    """Over a tenth of the bench's samples."""
    seconds = time_evaluations(create_samples_and_rules(samples=100_000), rounds=3)
    record_property("seconds of 100 rules over 100,000 samples", f"{min(seconds):.3f}")
    assert min(seconds) < get_load_factor()
