"""Metrics of calls to other services, cache lookups and waits for limits."""

from prometheus_client import Counter, Histogram

outgoing_calls = Counter(
    "outgoing_calls", "Calls to other services, by client; outcome: ok, or the kind of failure", ["client", "outcome"]
)
outgoing_call_seconds = Histogram(
    "outgoing_call_seconds",
    "Duration of calls to other services",
    ["client"],
    buckets=(0.05, 0.1, 0.3, 1, 3, 5, 10, 30, 60),
)
cache_lookups = Counter(
    "cache_lookups",
    "Cache lookups; result: hit, miss, stale, error, or cold (could not have hit: nothing had just looked the key up)",
    ["namespace", "result"],
)
limit_wait_seconds = Histogram(
    "limit_wait_seconds",
    "How long a call waited for a limit; limit: concurrency or rate",
    ["limit"],
    buckets=(0.01, 0.1, 0.3, 1, 3, 10, 30, 60),
)
