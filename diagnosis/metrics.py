"""Metrics of diagnoses and of calls to platforms."""

from prometheus_client import Counter, Gauge, Histogram

platform_calls = Counter(
    "diagnosis_calls",
    "Calls to platforms, by outcome: valid, or the reason of the failure; demo calls apart",
    ["platform", "outcome", "demo"],
)
platform_call_seconds = Histogram(
    "diagnosis_call_seconds",
    "How long a call to a platform took",
    ["platform", "demo"],
    buckets=(0.1, 0.3, 1, 2, 5, 10, 20, 30, 60),
)
diagnoses_ended = Counter("diagnosis_ended", "Diagnoses that reached a final state", ["status", "demo"])
budgets_used = Gauge(
    "diagnosis_budgets_used",
    "Monthly budgets of platforms and accounts of which at least `percentage` % is used, of the whole site",
    ["scope", "percentage"],
)
diagnoses_running = Gauge("diagnosis_running", "Diagnoses that run now, of the whole site", ["demo"])


def get_demo_label_value(*, is_demo: bool) -> str:
    """Return the value of the label `demo`."""
    return str(is_demo).lower()
