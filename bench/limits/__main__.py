"""The limits: places that processes share while some are killed, and what a limit costs: `make bench-limits`.

python -m bench.limits [--rounds N] [--calls N]
"""

import argparse
import asyncio
import os
import sys

from bench.alerts.services import own_redis
from bench.figures import Figure, named, report

PLACES = 10


def measure_cap(redis_url: str, rounds: int, *, longest_seconds: float = 1.0) -> list[Figure]:
    """Against the promises."""
    from performance.tests.contention import contend

    # Tasks of half a second on average, so that the others still want the places when the leases of the killed end.
    found = [
        contend(redis_url, processes=4, tasks=50, places=PLACES, kills=2, longest_seconds=longest_seconds)
        for _ in range(rounds)
    ]
    most = max(one.most_at_once for one in found)
    waits = [seconds for one in found for seconds in one.seconds_until_full]
    return [
        Figure(
            f"concurrency cap of {PLACES} under kill -9, 4 processes x 50 tasks, 2 killed, {rounds} rounds",
            "never exceeded",
            f"at most {most} at once, of {sum(one.ended for one in found):,} tasks",
            most <= PLACES,
        ),
        Figure(
            "a killed holder's places taken again",
            "within 3 s",
            f"{max(waits):.2f} s at most, {sorted(waits)[len(waits) // 2]:.2f} s median, {len(waits)} kills",
            max(waits) <= 3,
        ),
    ]


def measure_cost(redis_url: str, calls: int) -> list[Figure]:
    """What nobody promised."""
    from bench.limits.cost import seconds_a_call

    figures = []
    for what, seconds in asyncio.run(seconds_a_call(redis_url, calls)).items():
        figures.append(Figure(f"cost of {what}", "told", f"{1e6 * seconds:,.0f} µs a call", True))
    return figures


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of four processes each (default 5)")
    parser.add_argument("--calls", type=int, default=2000, help="to time (default 2000)")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    with own_redis(parser) as redis_url:
        import django

        django.setup()
        return report(
            "limits",
            [
                named("places under kills", lambda: measure_cap(redis_url, options.rounds)),
                named("what a limit costs", lambda: measure_cost(redis_url, options.calls)),
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
