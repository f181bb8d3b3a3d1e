"""How cost grows, and a simulation of the queue held against the real site on one and on two worker processes.

python -m bench.scale [--orders N] [--seed N] [--sizes 100,1000,10000]
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from itertools import pairwise

from bench.alerts.services import own_redis
from bench.figures import Figure, named, report
from bench.scale.queueing import Course, House, Order, simulate

PLACES = 4
CALLS = 4
CALL_SECONDS = (0.4, 2.0)
BUSY = 0.85  # of what the places can take
WITHIN = 0.20
LIST_MS, LIST_QUERIES = 1000, 20


def measure_model(redis_url: str, processes: int, orders: int, seed: int) -> list[Figure]:
    """The same orders simulated and served."""
    from bench.scale.measuring import make_orders, serve

    alone = make_orders(12, rate=0.2, calls=CALLS, seconds=CALL_SECONDS, seed=seed)
    quiet = serve(alone, redis_url, processes=processes, places=PLACES)
    costs = _costs(alone, quiet.courses)
    longest = statistics.mean(max(seconds for _, seconds in order.calls) for order in alone)
    rate = BUSY * processes * PLACES / (longest + sum(costs))
    plan = make_orders(orders, rate=rate, calls=CALLS, seconds=CALL_SECONDS, seed=seed)
    served = serve(plan, redis_url, processes=processes, places=PLACES)
    house = House(processes, PLACES, 1000, start_seconds=costs[0], diagnosis_seconds=costs[1])
    found, foretold = served.courses, simulate(house, plan)
    what = f"{orders} orders at {rate:.2f}/s, {processes} worker process{'es' if processes > 1 else ''} of {PLACES}"
    return [
        _agreement(f"{what}: until the start, mean", [one.waited for one in foretold], [one.waited for one in found]),
        _agreement(f"{what}: until the end, mean", [one.took for one in foretold], [one.took for one in found]),
        _agreement(
            f"{what}: until the end, 95th of 100",
            [_quantile([one.took for one in foretold], 0.95)],
            [_quantile([one.took for one in found], 0.95)],
        ),
    ]


def measure_costs(redis_url: str, seed: int, diagnoses: int = 60) -> list[Figure]:
    """what a diagnosis costs in processor time"""
    from bench.scale.measuring import make_orders, serve

    few, many = 1, 11
    spent = [
        serve(
            make_orders(diagnoses, rate=4, calls=calls, seconds=(0.1, 0.2), seed=seed),
            redis_url,
            processes=1,
            places=100,
        ).seconds
        for calls in (few, many)
    ]
    figures = []
    for part in spent[0]:
        each = [1000 * one[part] / diagnoses for one in spent]
        call = (each[1] - each[0]) / (many - few)
        measured = f"{each[0] - few * call:.1f} ms a diagnosis and {call:.1f} ms a call"
        figures.append(Figure(f"processor time of the {part}", "told", measured, True))
    return figures


def _costs(orders: Sequence[Order], courses: Sequence[Course]) -> tuple[float, float]:
    """(seconds until the start, seconds beside the longest call) of orders that waited for nobody."""
    start = statistics.median(course.waited for course in courses)
    beside = statistics.median(
        course.took - course.waited - max(seconds for _, seconds in order.calls)
        for order, course in zip(orders, courses, strict=True)
    )
    return start, beside


def _agreement(figure: str, foretold: Sequence[float], found: Sequence[float]) -> Figure:
    simulated, measured = statistics.mean(foretold), statistics.mean(found)
    off = simulated / measured - 1
    return Figure(
        figure,
        f"simulated within {WITHIN:.0%} of what was measured",
        f"simulated {simulated:.2f} s, measured {measured:.2f} s ({off:+.0%})",
        abs(off) <= WITHIN,
    )


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


def measure_growth(sizes: Sequence[int]) -> list[Figure]:
    """look-ups at more and more rows"""
    from bench.alerts.database import use_own_database

    use_own_database()
    from bench.scale import growth

    found = []
    for count in sizes:
        growth.empty()
        found.append(growth.measure(count))
    figures = [
        Figure(
            f"{name}: {' -> '.join(f'{one.rows:,}' for one in found)} rows",
            "at most twice the time for ten times the rows",
            " -> ".join(f"{one.milliseconds[name]:.2f} ms" for one in found),
            all(after <= 2 * before + 0.5 for before, after in pairwise(one.milliseconds[name] for one in found)),
        )
        for name in growth.LOOKS
    ]
    lists = growth.open_admin_lists()
    slowest = max(lists, key=lambda path: lists[path][0])
    milliseconds, queries = lists[slowest][0], max(count for _, count in lists.values())
    figures.append(
        Figure(
            f"the slowest of {len(lists)} lists of the admin at {found[-1].rows:,} rows",
            f"<= {LIST_MS} ms; no list with more than {LIST_QUERIES} queries",
            f"{milliseconds:.0f} ms ({slowest}), {queries} queries at most",
            milliseconds <= LIST_MS and queries <= LIST_QUERIES,
        )
    )
    kibibytes = found[-1].bytes_each / 1024
    return [
        *figures,
        Figure("a diagnosis of 28 answers, 60 events in the database", "told", f"{kibibytes:.0f} KiB", True),
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=200, help="orders for the model, for each house (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="100,1000,10000", help="diagnoses in the database (default 100,1000,10000)")
    options = parser.parse_args()
    with own_redis(parser) as redis_url:
        measurements = [
            named("the model with one process", lambda: measure_model(redis_url, 1, options.orders, options.seed)),
            named("the model with two processes", lambda: measure_model(redis_url, 2, options.orders, options.seed)),
            named("costs", lambda: measure_costs(redis_url, options.seed)),
            named("growth", lambda: measure_growth([int(one) for one in options.sizes.split(",")])),
        ]
        return report("scale", measurements)


if __name__ == "__main__":
    sys.exit(main())
