"""Budgets and the ledger while processes spend and are killed, against the fake platform's own count.

python -m bench.spending.ledger [--seconds N] [--seed N]
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.environment import start_bench_database
from bench.harness import BenchmarkResult, run_measurements
from testing.fakes.platform import Behaviour, Exchange, FakePlatform, build_completion

PROCESSES, CONCURRENCY = 4, 5
KILL_INTERVAL_SECONDS = (2.0, 4.0)  # a process needs some seconds to start
SAMPLE_INTERVAL_SECONDS = 0.02
RESPONSE_SECONDS = (0.05, 0.4)
MAX_OUTPUT_TOKENS = 1_000
PRICES: dict[str, Any] = {
    "price_per_call": Decimal("0.01"),
    "price_per_million_output_tokens": Decimal(90),
    "max_output_tokens": MAX_OUTPUT_TOKENS,
}
PLATFORM_BUDGETS = {"a": Decimal(6), "b": Decimal(9)}
ACCOUNT_BUDGET, SCHEDULE_BUDGET = Decimal(8), Decimal(5)


@dataclass
class _SpendingRound:
    """What happened: calls by platform as the platform counts them, its price of them, and the ledger's."""

    kills: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    money: Counter[str] = field(default_factory=Counter)
    ledger_calls: int = 0
    largest_share: float = 0.0
    overspent: list[str] = field(default_factory=list)


def _respond_randomly(spent: _SpendingRound, rng: random.Random) -> Behaviour:
    """Answer with a random number of tokens, refuse, or reset the connection after having charged the answer."""

    async def behave(exchange: Exchange) -> None:
        model, roll = exchange.call.model, rng.random()
        is_refused = roll < 0.15
        tokens = 0 if is_refused else rng.randint(0, MAX_OUTPUT_TOKENS)
        spent.calls[model] += 1
        spent.money[model] += PRICES["price_per_call"] + PRICES["price_per_million_output_tokens"] * tokens / 1_000_000
        await asyncio.sleep(rng.uniform(*RESPONSE_SECONDS))
        if is_refused:
            await exchange.respond(rng.choice([429, 500]), b'{"error": {"message": "no"}}')
        elif roll < 0.25:
            exchange.reset()
        else:
            usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
            await exchange.respond(200, json.dumps(build_completion("好", model=model, usage=usage)).encode())

    return behave


def _spend_with_kills(seconds: float, seed: int) -> _SpendingRound:
    from diagnosis.choices import BudgetScope
    from diagnosis.models import AccountBudget, BudgetUse, PaidCall
    from testing.data.diagnoses import make_platform, make_schedule, make_user
    from testing.workers.spending_process import start_spending_process

    rng, spent = random.Random(seed), _SpendingRound()
    owner = make_user(f"owner-{seed}")
    AccountBudget.objects.create(owner_id=owner.pk, monthly_budget=ACCOUNT_BUDGET)
    with FakePlatform() as fake:
        fake.set_behaviour(_respond_randomly(spent, rng))
        platforms = [
            make_platform(pk, base_url=fake.base_url, monthly_budget=budget, **PRICES)
            for pk, budget in PLATFORM_BUDGETS.items()
        ]
        schedule = make_schedule(owner, platforms, budget_money=SCHEDULE_BUDGET, budget_calls=100_000)
        limits = {
            BudgetScope.PLATFORM: PLATFORM_BUDGETS,
            BudgetScope.ACCOUNT: {str(owner.pk): ACCOUNT_BUDGET},
            BudgetScope.SCHEDULE: {str(schedule.pk): SCHEDULE_BUDGET},
        }

        def start() -> subprocess.Popen[bytes]:
            number = rng.randrange(10**6)
            return start_spending_process(number, CONCURRENCY, owner.pk, schedule.pk, list(PLATFORM_BUDGETS))

        processes = [start() for _ in range(PROCESSES)]
        try:
            fake.wait_for_calls(1)
            end, next_kill = time.monotonic() + seconds, time.monotonic() + 1
            while time.monotonic() < end:
                for use in BudgetUse.objects.all():
                    share = float(use.money / limits[BudgetScope(use.scope)][use.key])
                    spent.largest_share = max(spent.largest_share, share)
                    if share > 1:
                        spent.overspent.append(f"{use} {use.money}")
                if time.monotonic() >= next_kill:
                    number = rng.randrange(PROCESSES)
                    processes[number].kill()
                    processes[number].wait()
                    processes[number] = start()
                    spent.kills += 1
                    next_kill = time.monotonic() + rng.uniform(*KILL_INTERVAL_SECONDS)
                time.sleep(SAMPLE_INTERVAL_SECONDS)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        spent.kills += PROCESSES
    spent.ledger_calls = PaidCall.objects.count()
    return spent


def check_budgets_under_kills(seconds: float, seed: int) -> list[BenchmarkResult]:
    """Spend from four processes, of which one after another is killed."""
    start_bench_database()
    os.environ["TEST_API_KEY"] = "sk-of-the-bench"
    spent = _spend_with_kills(seconds, seed)
    calls = spent.calls.total()
    difference, in_flight = spent.ledger_calls - calls, spent.kills * CONCURRENCY
    over = [pk for pk, budget in PLATFORM_BUDGETS.items() if spent.money[pk] > budget] + spent.overspent
    return [
        BenchmarkResult(
            f"ledger against the platform's own count, {PROCESSES} processes, {spent.kills} kills",
            "equal; at most the calls in flight apart",
            f"ledger {spent.ledger_calls}, platform {calls}; {difference} apart, {in_flight} in flight at the kills",
            0 <= difference <= in_flight,
        ),
        BenchmarkResult(
            f"overspending of any budget, {PROCESSES} processes, seed {seed}",
            "0",
            f"{len(over)}; at most {spent.largest_share:.1%} of a budget of platform, account or schedule was used",
            not over and spent.largest_share > 0.9,
        ),
    ]


def main() -> int:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="how long the processes spend (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="seed of responses and kills (default 1)")
    options = parser.parse_args()
    return run_measurements(
        "spending-ledger",
        [("budgets under kills", lambda: check_budgets_under_kills(options.seconds, options.seed))],
    )


if __name__ == "__main__":
    sys.exit(main())
