"""Attack the whole together: faults while diagnoses run, load for minutes, whatever anybody may send.

    python -m bench.chaos [--seed N] [--times N] [--only NAME,...] [--list]

One row an attack. The seed is printed: with it the attacks fall at the same places and send the same.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import django
from rich.console import Console

from bench.environment import running_services
from bench.harness import BenchmarkResult, run_measurements, with_label

if TYPE_CHECKING:
    from bench.chaos.scenarios import Scenario

log = Console(stderr=True, soft_wrap=True)


def main() -> int:
    """Run it."""
    with running_services():
        django.setup()
        return _run()


def _run() -> int:
    from bench.chaos.cluster import chaos_environment
    from bench.chaos.scenarios import SCENARIOS, WorkloadSize

    options = _options()
    if options.list:
        for one in SCENARIOS:
            sys.stdout.write(f"{one.name:20} {one.title}\n")
        return 0
    names = options.only.split(",") if options.only else [one.name for one in SCENARIOS]
    unknown = set(names) - {one.name for one in SCENARIOS}
    if unknown:
        log.print(f"error: there is no {', '.join(sorted(unknown))}; --list shows what there is")
        return 2
    size = WorkloadSize(times=options.times, seconds=options.seconds, frames=options.frames, examples=options.examples)
    log.print(f"seed: {options.seed}")
    with chaos_environment() as environment:

        def build_measurement(name: str) -> Callable[[], list[BenchmarkResult]]:
            found = next(one for one in SCENARIOS if one.name == name)

            def measure() -> list[BenchmarkResult]:
                return _run_scenario(
                    lambda: found.run(found, environment, random.Random(f"{options.seed} {name}"), size), found
                )

            return with_label(found.title, measure)  # type: ignore[return-value]

        return run_measurements(options.name, [build_measurement(name) for name in names])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--times", type=int, default=3, help="how often each fault strikes (default 3)")
    parser.add_argument("--seconds", type=float, default=600, help="how long the load lasts (default 600)")
    parser.add_argument("--frames", type=int, default=100_000, help="fuzzed frames (default 100000)")
    parser.add_argument("--examples", type=int, default=40, help="of schemathesis, per operation (default 40)")
    parser.add_argument("--only", default="", help="some of the names that --list shows, with commas between")
    parser.add_argument("--name", default="torture", help="of the file in bench/results (default torture)")
    parser.add_argument("--list", action="store_true", help="show the names and end")
    return parser.parse_args()


def _run_scenario(
    run: Callable[[], BenchmarkResult | list[BenchmarkResult]], scenario: "Scenario"
) -> list[BenchmarkResult]:
    from bench.chaos.cluster import ScenarioUnavailable

    started = time.monotonic()
    try:
        found = run()
    except ScenarioUnavailable as reason:
        found = BenchmarkResult(scenario.title, "to be run", f"not run: {reason}", is_held=False)
    except Exception as error:  # noqa: BLE001 - the others are still to be run
        log.print_exception()
        found = BenchmarkResult(scenario.title, "to be run", f"broke off: {error!r}"[:300], is_held=False)
    rows = found if isinstance(found, list) else [found]
    for one in rows:
        held = "held    " if one.is_held else "NOT HELD"
        log.print(
            f"{held} {scenario.name}: {one.measured} ({time.monotonic() - started:.0f} s in all)", highlight=False
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
