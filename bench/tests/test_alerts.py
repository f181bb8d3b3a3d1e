"""Short forms of the alert benches: kills of the sender, and where the modules store their results."""

from typing import Any

import pytest

from bench.alerts.__main__ import MODULES
from bench.alerts.kills import kill_sender_repeatedly
from testing.site import PROJECT_ROOT


def test_no_alert_is_lost_when_the_sender_is_killed(record_property: Any) -> None:
    report = kill_sender_repeatedly(alerts=20, kills=3, seed=1)
    record_property("messages repeated in 3 kills of the sender", report.repeats)
    assert report.kills and report.lost == 0 and report.repeats <= report.kills


@pytest.mark.parametrize("name", MODULES)
def test_each_module_stores_its_results_where_the_whole_bench_reads_them(name: str) -> None:
    assert f'"alerts-{name}"' in (PROJECT_ROOT / "bench" / "alerts" / f"{name}.py").read_text()
