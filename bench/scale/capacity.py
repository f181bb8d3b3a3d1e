"""What so many users need, from what one of each was measured to cost: the table of docs/operations/scaling.md.

python -m bench.scale.capacity
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

USERS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

# What people do. Assumptions, to be replaced by what the dashboard shows.
DIAGNOSES_A_DAY = 0.01  # of each user
IN_THE_BUSIEST_HOUR = 0.2  # of a day's
CALLS = 40  # 10 questions on 4 platforms
PLATFORMS = 4
MINUTES = 2.0  # that a diagnosis takes, watched from its start to its end
KEPT_DAYS = 365  # answers and reports; `manage.py prune` empties logs sooner

# What things cost, by `make bench-scale` and `make bench-push`, on one core of the machine named there.
WORKER_MS, WORKER_MS_A_CALL = 20.0, 6.7
DATABASE_MS, DATABASE_MS_A_CALL = 11.0, 1.7
WEB_MS = 17.0  # of an order over HTTP
DELIVERIES_A_SECOND = 25_000  # of a web process on daphne
DIAGNOSIS_KIB = 85
EVENTS_A_CALL = 2.2
BUSY = 0.5  # of a core, so that bursts find room


@dataclass(frozen=True)
class Needs:
    """Of so many users, in the busiest hour; cores are those that are half busy."""

    users: int
    diagnoses_a_second: float
    calls_a_minute_each: float
    at_once: int
    worker_cores: int
    web_cores: int
    database_cores: int
    events_a_second: float
    gigabytes: float


def needs(users: int, times: float = 1) -> Needs:
    """What they need, when each diagnoses so many times as often as assumed."""
    a_day = users * DIAGNOSES_A_DAY * times
    rate = a_day * IN_THE_BUSIEST_HOUR / 3600
    events = rate * CALLS * EVENTS_A_CALL
    return Needs(
        users=users,
        diagnoses_a_second=rate,
        calls_a_minute_each=rate * CALLS / PLATFORMS * 60,
        at_once=ceil(rate * MINUTES * 60),
        worker_cores=_cores(rate * (WORKER_MS + CALLS * WORKER_MS_A_CALL) / 1000),
        web_cores=_cores(rate * WEB_MS / 1000 + events / DELIVERIES_A_SECOND),
        database_cores=_cores(rate * (DATABASE_MS + CALLS * DATABASE_MS_A_CALL) / 1000),
        events_a_second=events,
        gigabytes=a_day * KEPT_DAYS * DIAGNOSIS_KIB / 1024**2,
    )


def _cores(seconds_a_second: float) -> int:
    return max(1, ceil(seconds_a_second / BUSY))


COLUMNS: dict[str, Callable[[Needs], str]] = {
    "users": lambda one: f"{one.users:,}",
    "diagnoses/s": lambda one: f"{one.diagnoses_a_second:.2g}",
    "at once": lambda one: f"{one.at_once:,}",
    "calls/min of a platform": lambda one: f"{one.calls_a_minute_each:,.0f}",
    "worker cores": lambda one: f"{one.worker_cores}",
    "web cores": lambda one: f"{one.web_cores}",
    "database cores": lambda one: f"{one.database_cores}",
    "events/s": lambda one: f"{one.events_a_second:,.0f}",
    "kept for a year": lambda one: f"{one.gigabytes:,.0f} GB",
}


def table() -> Iterator[str]:
    """The lines of the table, in Markdown; the last is of users who are ten times as busy."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for one in [*map(needs, USERS), needs(USERS[-1], times=10)]:
        yield f"| {' | '.join(cell(one) for cell in COLUMNS.values())} |"


if __name__ == "__main__":
    print("\n".join(table()))  # noqa: T201 - it is what the command is for
