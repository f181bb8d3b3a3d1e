"""Which calls are made: after edits, through outages, within edited limits, and when the platform refuses some.

python -m bench.spending.calls [--interleavings N] [--edits N] [--outages N] [--seed N] [--only LABEL,...]
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, Measure, run_measurements
from testing.fakes.platform import Call, Exchange, FakePlatform, respond_with_answer, respond_with_error
from testing.services import RedisServer, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from diagnosis.models import Diagnosis
    from testing.workers.diagnosis_process import DiagnosisProcess

PROCESSES = 4
AT_ONCE = 20  # interleavings that run at the same time
VISIBLE_SECONDS = 1.0  # after an edit is committed
CHANGES = ("disable", "pause", "cancel", "budget")


def _set_up() -> "AbstractUser":
    from testing.data.diagnoses import make_user

    os.environ["TEST_API_KEY"] = "sk-of-the-bench"
    return make_user(f"bench-{time.monotonic_ns()}")


@contextmanager
def _running_processes(count: int, **environment: str) -> "Iterator[list[DiagnosisProcess]]":
    from testing.workers.diagnosis_process import DiagnosisProcess

    processes = [DiagnosisProcess(**environment) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()


@dataclass
class _Interleaving:
    """A platform with a diagnosis in each process, one change, and the moment from which no call may begin."""

    platform_id: str
    diagnoses: "list[Diagnosis]"
    change: str
    change_at: float
    closed_from: datetime | None = None

    def apply(self) -> None:
        from django.utils import timezone

        from diagnosis.models import BudgetUse, Platform
        from diagnosis.orders.services import cancel_diagnosis

        rows = Platform.objects.filter(pk=self.platform_id)
        if self.change == "disable":
            rows.update(is_enabled=False)
        elif self.change == "pause":
            rows.update(paused_until=timezone.now() + timedelta(hours=1), pause_reason="operator")
        elif self.change == "cancel":
            cancel_diagnosis(self.diagnoses[0])
        else:
            spent = sum(BudgetUse.objects.filter(key=self.platform_id).values_list("money", flat=True), Decimal(0))
            rows.update(monthly_budget=spent)
        self.closed_from = datetime.now(UTC) + timedelta(seconds=VISIBLE_SECONDS)

    def count_late_calls(self, calls: list[Call]) -> int:
        assert self.closed_from
        late = [call for call in calls if call.model == self.platform_id and call.started_at > self.closed_from]
        if self.change == "cancel":
            late = [call for call in late if call.question.endswith(f"{self.platform_id}-0")]
        return len(late)


def check_changes(interleavings: int, seed: int) -> BenchmarkResult:
    """Change something at a random moment of runs in four processes; count the calls that begin a second later."""
    start_bench_database()
    owner, rng = _set_up(), random.Random(seed)
    late, calls_made, remaining = 0, 0, 0
    with FakePlatform() as fake, _running_processes(PROCESSES) as processes:
        fake.set_behaviour(respond_with_answer(delay_seconds=lambda: rng.uniform(0.1, 0.8)))
        for start in range(0, interleavings, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, interleavings))
            group = [_start_interleaving(owner, fake, processes, rng, f"i{seed}-{number}") for number in numbers]
            began = time.monotonic()
            for interleaving in sorted(group, key=lambda one: one.change_at):
                time.sleep(max(0.0, interleaving.change_at - (time.monotonic() - began)))
                interleaving.apply()
            time.sleep(VISIBLE_SECONDS + 1)
            late += sum(interleaving.count_late_calls(fake.calls) for interleaving in group)
            remaining += sum(_end_interleaving(interleaving) for interleaving in group)
            calls_made += len(fake.calls)
            fake.calls.clear()
    return BenchmarkResult(
        f"paid calls begun after disable, pause, cancel or reached budget is visible ({VISIBLE_SECONDS:g} s), "
        f"{PROCESSES} processes, {interleavings:,} interleavings, seed {seed}",
        "0",
        f"{late} of {calls_made:,} calls; {remaining:,} answers were still to be asked",
        late == 0 and remaining > 0,
    )


def _start_interleaving(
    owner: "AbstractUser", fake: FakePlatform, processes: "list[DiagnosisProcess]", rng: random.Random, pk: str
) -> _Interleaving:
    from testing.data.diagnoses import make_diagnosis, make_platform

    platform = make_platform(pk, base_url=fake.base_url, concurrency=1, price_per_call=Decimal("0.01"))
    diagnoses = []
    for number, process in enumerate(processes):
        questions = [f"问 {question} {pk}-{number}" for question in range(4)]
        diagnosis = make_diagnosis(owner, [platform], questions=questions)
        diagnoses.append(diagnosis)
        process.run(diagnosis.pk)
    return _Interleaving(pk, diagnoses, rng.choice(CHANGES), rng.uniform(0.0, 1.5))


def _end_interleaving(interleaving: _Interleaving) -> int:
    """Cancel what still runs; return how many calls the change prevented."""
    from diagnosis.models import Answer, Diagnosis
    from diagnosis.orders.services import cancel_diagnosis

    for diagnosis in Diagnosis.objects.filter(pk__in=[one.pk for one in interleaving.diagnoses]).unfinished():
        cancel_diagnosis(diagnosis)
    return Answer.objects.filter(diagnosis__in=interleaving.diagnoses, attempts=0).exclude(state="valid").count()


def _set_connections_allowed(is_allowed: bool) -> None:
    """Let the database refuse connections, and end those that exist, or accept them again."""
    import psycopg
    from django.db import connection

    parameters = connection.get_connection_params()
    name = parameters.pop("dbname")
    connection.close()
    address = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}
    with psycopg.connect(dbname="template1", autocommit=True, **address) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {"true" if is_allowed else "false"}')
        if not is_allowed:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def check_outages(outages: int, seed: int, *, concurrency: int = 5, questions: int = 20) -> BenchmarkResult:
    """Take the database away at a random point of a run; every second time also kill the process meanwhile."""
    start_bench_database()
    from testing.data.diagnoses import make_diagnosis, make_platform

    owner, rng, most_over, kills = _set_up(), random.Random(seed), 0, 0
    for number in range(outages):
        with FakePlatform() as fake, _running_processes(2) as (first, second):
            fake.set_behaviour(respond_with_answer(delay_seconds=0.3))
            pk = f"o{seed}-{number}"
            platform = make_platform(pk, base_url=fake.base_url, concurrency=concurrency)
            diagnosis = make_diagnosis(owner, [platform], questions=[f"问 {one}" for one in range(questions)])
            first.run(diagnosis.pk)
            fake.wait_for_calls(1)
            time.sleep(rng.uniform(0.0, 0.9))
            _set_connections_allowed(False)
            try:
                time.sleep(rng.uniform(0.5, 2.0))
                if number % 2:
                    first.kill()
                    kills += 1
            finally:
                _set_connections_allowed(True)
            if number % 2:
                second.run(diagnosis.pk)

            def is_final(pk: Any = diagnosis.pk) -> bool:
                from diagnosis.models import Diagnosis

                return Diagnosis.objects.get(pk=pk).is_final

            wait_until(is_final, "the diagnosis to end", 120)
            most_over = max(most_over, fake.count() - questions)
    return BenchmarkResult(
        f"calls over planned after an outage of the database at a random point, {outages} outages, {kills} with a kill",
        f"<= {concurrency}, the calls in flight",
        f"{most_over} at most, of {questions} planned",
        most_over <= concurrency,
    )


def check_edited_limits(edits: int, seed: int, redis_url: str) -> BenchmarkResult:
    """Edit the calls at once under load; compare each moment with the limits in force within the last second."""
    start_bench_database()
    from diagnosis.models import Platform
    from testing.data.diagnoses import make_diagnosis, make_platform

    owner, rng, exceeded, most = _set_up(), random.Random(seed), 0, 0
    history: list[tuple[float, int]] = [(0.0, 4)]
    pk = f"e{seed}{'r' if redis_url else 'm'}"

    async def compare_with_limits(exchange: Exchange) -> None:
        nonlocal exceeded, most
        now = time.monotonic()
        in_force = [limit for at, limit in history if at <= now - VISIBLE_SECONDS][-1:]
        allowed = max(in_force + [limit for at, limit in history if at > now - VISIBLE_SECONDS])
        in_flight = exchange.fake.in_flight[pk]
        most = max(most, in_flight)
        exceeded += in_flight > allowed
        await respond_with_answer(delay_seconds=rng.uniform(0.02, 0.2))(exchange)

    processes_count = PROCESSES if redis_url else 1
    with FakePlatform() as fake, _running_processes(processes_count, REDIS_URL=redis_url) as processes:
        fake.set_behaviour(compare_with_limits)
        platform = make_platform(pk, base_url=fake.base_url, concurrency=4)
        for process in processes:
            for number in range(3):
                questions = [f"问 {number} {one}" for one in range(20)]
                process.run(make_diagnosis(owner, [platform], questions=questions, repeats=5).pk)
        fake.wait_for_calls(1)
        for _ in range(edits):
            limit = rng.randint(1, 8)
            Platform.objects.filter(pk=pk).update(concurrency=limit)
            history.append((time.monotonic(), limit))
            time.sleep(rng.uniform(0.1, 0.6))
        calls = fake.count()
    return BenchmarkResult(
        f"calls at once edited {edits} times under load, {'4 processes on Redis' if redis_url else 'in memory'}",
        "limit never exceeded",
        f"{exceeded} times in {calls:,} calls; at most {most} at once",
        exceeded == 0 and most > 1,
    )


def check_refusals(answers: int, per_second: int = 10) -> BenchmarkResult:
    """Ask a platform that handles ten calls a second and refuses the others with Retry-After: 1."""
    start_bench_database()
    from diagnosis.running.runner import run_diagnosis
    from testing.data.diagnoses import make_diagnosis, make_platform

    owner, accepted = _set_up(), list[float]()

    async def handle_some(exchange: Exchange) -> None:
        now = time.monotonic()
        if sum(at > now - 1 for at in accepted) >= per_second:
            await respond_with_error(429, {}, {"Retry-After": "1"})(exchange)
        else:
            accepted.append(now)
            await respond_with_answer(delay_seconds=0.05)(exchange)

    with FakePlatform() as fake:
        fake.set_behaviour(handle_some)
        platform = make_platform(f"r{answers}", base_url=fake.base_url, concurrency=20)
        diagnosis = make_diagnosis(owner, [platform], questions=[f"问 {n}" for n in range(answers // 5)], repeats=5)
        started = time.monotonic()
        asyncio.run(run_diagnosis(diagnosis.pk))
        seconds, calls = time.monotonic() - started, fake.count()
    diagnosis.refresh_from_db()
    return BenchmarkResult(
        f"{answers} answers of a platform that handles {per_second} calls/s, Retry-After 1 s, 20 at once",
        ">= 99 % valid, <= 30 s, <= 130 % calls",
        f"{diagnosis.valid} valid, {seconds:.1f} s, {calls} calls",
        diagnosis.valid >= 0.99 * answers and seconds <= 30 and calls <= 1.3 * answers,
    )


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interleavings", type=int, default=1000, help="changes during runs (default 1000)")
    parser.add_argument("--outages", type=int, default=10, help="outages of the database (default 10)")
    parser.add_argument("--edits", type=int, default=100, help="edits of the limit (default 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="labels of measurements, separated by commas (default all)")
    options = parser.parse_args()
    start_bench_database()  # before Redis: it sets the services up
    redis = RedisServer()
    redis.start()
    measurements: dict[str, Measure] = {
        "changes": lambda: check_changes(options.interleavings, options.seed),
        "outages": lambda: check_outages(options.outages, options.seed),
        "limits in memory": lambda: check_edited_limits(options.edits, options.seed, ""),
        "limits on Redis": lambda: check_edited_limits(options.edits, options.seed, redis.url),
        "refusals": lambda: check_refusals(100),
    }
    labels = options.only.split(",") if options.only else list(measurements)
    try:
        return run_measurements("spending-calls", [(label, measurements[label]) for label in labels])
    finally:
        redis.stop()


if __name__ == "__main__":
    sys.exit(main())
