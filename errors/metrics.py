"""Metrics of errors."""

from prometheus_client import Counter

error_counter = Counter(
    "errors",
    "Failures, by code; outcome: shown to somebody, retried by us, or recovered after retries",
    ["code", "outcome"],
)
