"""Short forms of `make bench-alerts`: the simulation, the speed of an evaluation, and kills of the sender."""

from collections.abc import Iterator
from typing import Any

import pytest

from bench.alerts.__main__ import MODULES
from bench.alerts.kills import kill_sender_repeatedly
from bench.alerts.simulation import simulate_alerts
from bench.alerts.speed import create_samples_and_rules, time_evaluations
from errors.recording import error_recorder
from testing.services import get_load_factor
from testing.site import PROJECT_ROOT


@pytest.fixture
def discarded_errors() -> Iterator[None]:
    error_recorder.clear()
    yield
    error_recorder.clear()


def test_no_alert_is_lost_when_the_sender_is_killed(record_property: Any) -> None:
    report = kill_sender_repeatedly(alerts=20, kills=3, seed=1)
    record_property("messages repeated in 3 kills of the sender", report.repeats)
    assert report.kills and report.lost == 0 and report.repeats <= report.kills


@pytest.mark.django_db
@pytest.mark.usefixtures("discarded_errors")
def test_only_the_incident_of_simulated_hours_is_alerted() -> None:
    """`make bench-alerts` simulates ten days per volume."""
    volumes = simulate_alerts(seed=20_260_227, days=1, hours=2, tick_step=3)
    assert [(volume.injected, volume.detected, volume.false_alarms) for volume in volumes[1:]] == [(1, 1, 0)] * 2
    assert volumes[0].detected + volumes[0].false_alarms == 1  # at two calls a minute the alert may come a minute late


@pytest.mark.django_db
@pytest.mark.usefixtures("discarded_errors")
def test_a_hundred_rules_are_evaluated_in_a_second(record_property: Any) -> None:
    """Over a tenth of the samples of `make bench-alerts`."""
    seconds = time_evaluations(create_samples_and_rules(samples=100_000), rounds=3)
    record_property("seconds of 100 rules over 100,000 samples", f"{min(seconds):.3f}")
    assert min(seconds) < get_load_factor()


@pytest.mark.parametrize("name", MODULES)
def test_each_module_stores_its_results_where_the_whole_bench_reads_them(name: str) -> None:
    assert f'"alerts-{name}"' in (PROJECT_ROOT / "bench" / "alerts" / f"{name}.py").read_text()
