"""Metrics of errors."""

from prometheus_client import Counter

error_counter = Counter(
    "errors",
    "Errors, by code; outcome: shown to a user, retried, or recovered after retries",
    ["code", "outcome"],
)
