"""Metrics of diagnoses and of calls to platforms."""

from prometheus_client import Counter, Gauge, Histogram

platform_calls = Counter(
    "diagnosis_calls",
    "Calls to platforms, by outcome: valid, or the reason of the failure; demo calls apart",
    ["platform", "outcome", "demo"],
)
answers_ended = Counter(
    "diagnosis_answers",
    "Answers stored, whether the platform was called or not; outcome: valid, or the reason of the failure",
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
diagnoses_unfinished = Gauge(
    "diagnosis_unfinished", "Diagnoses that are queued or run now, of the whole site", ["demo"]
)
longest_wait_seconds = Gauge(
    "diagnosis_longest_wait_seconds",
    "How long the first diagnosis in the queue has waited, of the whole site",
    ["demo"],
)
diagnoses_running = Gauge("diagnosis_running", "Diagnoses that run now, of the whole site", ["demo"])


def get_demo_label_value(*, is_demo: bool) -> str:
    """Return the value of the label `demo`."""
    return str(is_demo).lower()
