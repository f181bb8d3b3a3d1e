"""Instruments of what went wrong."""

from prometheus_client import Counter

errors = Counter(
    "errors",
    "Failures, by code; outcome: shown to somebody, retried by us, or recovered after retries",
    ["code", "outcome"],
)
