"""What so many users need, from what one of each was measured to cost: the table of docs/operations/scaling.md.

python -m bench.scale.capacity
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

USER_COUNTS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

# What people do. Assumptions, to be replaced by what the dashboard shows.
DIAGNOSES_PER_USER_PER_DAY = 0.01  # of each user
BUSIEST_HOUR_SHARE = 0.2  # of a day's
CALLS_PER_DIAGNOSIS = 40  # 10 questions on 4 platforms
PLATFORMS_PER_DIAGNOSIS = 4
DIAGNOSIS_MINUTES = 2.0  # that a diagnosis takes, watched from its start to its end
RETENTION_DAYS = 365  # answers and reports; `manage.py prune` empties logs sooner

# What things cost, by `make bench-scale` and `make bench-push`, on one core of the machine named there.
WORKER_MS, WORKER_MS_PER_CALL = 20.0, 6.7
DATABASE_MS, DATABASE_MS_PER_CALL = 11.0, 1.7
WEB_MS = 17.0  # of an order over HTTP
DELIVERIES_PER_SECOND = 25_000  # of a web process on daphne
DIAGNOSIS_KIB = 85
EVENTS_PER_CALL = 2.2
MAX_UTILIZATION = 0.5  # of a core, so that bursts find room


@dataclass(frozen=True)
class CapacityEstimate:
    """Of so many users, in the busiest hour; cores are those that are half busy."""

    users: int
    diagnoses_per_second: float
    calls_per_minute_per_platform: float
    concurrent_diagnoses: int
    worker_cores: int
    web_cores: int
    database_cores: int
    events_per_second: float
    gigabytes: float


def estimate_capacity(users: int, load_factor: float = 1) -> CapacityEstimate:
    """What they need, when each diagnoses so many times as often as assumed."""
    diagnoses_per_day = users * DIAGNOSES_PER_USER_PER_DAY * load_factor
    rate = diagnoses_per_day * BUSIEST_HOUR_SHARE / 3600
    events = rate * CALLS_PER_DIAGNOSIS * EVENTS_PER_CALL
    return CapacityEstimate(
        users=users,
        diagnoses_per_second=rate,
        calls_per_minute_per_platform=rate * CALLS_PER_DIAGNOSIS / PLATFORMS_PER_DIAGNOSIS * 60,
        concurrent_diagnoses=ceil(rate * DIAGNOSIS_MINUTES * 60),
        worker_cores=_get_required_cores(rate * (WORKER_MS + CALLS_PER_DIAGNOSIS * WORKER_MS_PER_CALL) / 1000),
        web_cores=_get_required_cores(rate * WEB_MS / 1000 + events / DELIVERIES_PER_SECOND),
        database_cores=_get_required_cores(rate * (DATABASE_MS + CALLS_PER_DIAGNOSIS * DATABASE_MS_PER_CALL) / 1000),
        events_per_second=events,
        gigabytes=diagnoses_per_day * RETENTION_DAYS * DIAGNOSIS_KIB / 1024**2,
    )


def _get_required_cores(cpu_seconds_per_second: float) -> int:
    return max(1, ceil(cpu_seconds_per_second / MAX_UTILIZATION))


TABLE_COLUMNS: dict[str, Callable[[CapacityEstimate], str]] = {
    "users": lambda one: f"{one.users:,}",
    "diagnoses/s": lambda one: f"{one.diagnoses_per_second:.2g}",
    "at once": lambda one: f"{one.concurrent_diagnoses:,}",
    "calls/min of a platform": lambda one: f"{one.calls_per_minute_per_platform:,.0f}",
    "worker cores": lambda one: f"{one.worker_cores}",
    "web cores": lambda one: f"{one.web_cores}",
    "database cores": lambda one: f"{one.database_cores}",
    "events/s": lambda one: f"{one.events_per_second:,.0f}",
    "kept for a year": lambda one: f"{one.gigabytes:,.0f} GB",
}


def format_table() -> Iterator[str]:
    """The lines of the table, in Markdown; the last is of users who are ten times as busy."""
    yield f"| {' | '.join(TABLE_COLUMNS)} |"
    yield "|---" * len(TABLE_COLUMNS) + "|"
    for one in [*map(estimate_capacity, USER_COUNTS), estimate_capacity(USER_COUNTS[-1], load_factor=10)]:
        yield f"| {' | '.join(cell(one) for cell in TABLE_COLUMNS.values())} |"


if __name__ == "__main__":
    print("\n".join(format_table()))  # noqa: T201 - it is what the command is for
