"""Short forms of the alert benches: scenarios through the real evaluator, and volumes in memory."""

from collections.abc import Iterator

import pytest

from bench.alerts.scenarios import SCENARIOS, reset
from bench.alerts.volumes import measure_partial_incident, measure_total_failure
from errors.recording import error_recorder

# The others evaluate a whole day or more: `make bench-alerts`.
SHORT_SCENARIOS = [
    "a platform answers 401 and is paused",
    "one bad diagnosis, then a week of small healthy ones",
    "the sample on the flaky demo platform",
    "a rule raises; the clock steps 2 h forward and back",
    "a channel answers 404",
]


@pytest.fixture(autouse=True)
def clear_recorder() -> Iterator[None]:
    error_recorder.clear()
    yield
    error_recorder.clear()


@pytest.mark.django_db
@pytest.mark.parametrize("name", SHORT_SCENARIOS)
def test_scenario_of_a_small_site(name: str) -> None:
    reset()
    text, is_right = SCENARIOS[name][0]()
    assert is_right, text


@pytest.mark.parametrize("per_day", [3, 30])
def test_failures_are_told_in_time_at_few_diagnoses_a_day(per_day: int) -> None:
    for result in (measure_total_failure(5, per_day), measure_partial_incident(5, per_day)):
        assert result.is_held, result
