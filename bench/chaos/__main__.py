"""Fault injection, load, fuzzed input and attacks against the whole site.

    python -m bench.chaos [--seed N] [--times N] [--only NAME,...] [--list]

Prints one row per scenario, and the seed: with the same seed faults are injected at the same points, and the same input
is sent.
"""

import argparse
import random
import sys
import time
from functools import partial

import django
from rich.console import Console

from bench.chaos.cluster import ChaosEnvironment, ScenarioUnavailable, running_chaos_environment
from bench.chaos.scenario import Scenario
from bench.chaos.workload import WorkloadSize
from bench.harness import BenchmarkResult, run_measurements
from testing.services import MissingServiceError, running_services

log = Console(stderr=True, soft_wrap=True)


def main() -> int:
    """Run the chosen scenarios; return 1 if one fails, 2 for an unknown name."""
    options = _parse_options()
    with running_services():
        django.setup()
        from bench.chaos.scenarios import ATTACKS, SCENARIOS  # some of their modules need Django

        scenarios = {scenario.name: scenario for scenario in SCENARIOS}
        if options.list:
            sys.stdout.writelines(f"{name:20} {scenario.title}\n" for name, scenario in scenarios.items())
            return 0
        names = options.only.split(",") if options.only else list(scenarios)
        if names == ["attacks"]:
            names = [scenario.name for scenario in ATTACKS]
        if unknown := set(names) - set(scenarios):
            log.print(f"error: unknown scenario {', '.join(sorted(unknown))}; --list shows all")
            return 2
        size = WorkloadSize(
            times=options.times, seconds=options.seconds, frames=options.frames, examples=options.examples
        )
        log.print(f"seed: {options.seed}")
        with running_chaos_environment() as environment:
            measurements = [
                (
                    scenarios[name].title,
                    partial(_run_scenario, scenarios[name], environment, random.Random(f"{options.seed} {name}"), size),
                )
                for name in names
            ]
            return run_measurements(options.name, measurements)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--times", type=int, default=3, help="injections of each fault (default 3)")
    parser.add_argument("--seconds", type=float, default=600, help="duration of the load (default 600)")
    parser.add_argument("--frames", type=int, default=100_000, help="fuzzed frames (default 100000)")
    parser.add_argument("--examples", type=int, default=40, help="schemathesis examples per operation (default 40)")
    parser.add_argument("--only", default="", help="names of scenarios, separated by commas, or attacks")
    parser.add_argument("--name", default="torture", help="name of the file in bench/results (default torture)")
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")
    return parser.parse_args()


def _run_scenario(
    scenario: Scenario, environment: ChaosEnvironment, rng: random.Random, size: WorkloadSize
) -> list[BenchmarkResult]:
    began = time.monotonic()
    try:
        results = scenario.run(environment, rng, size)
    except (ScenarioUnavailable, MissingServiceError) as reason:
        results = [BenchmarkResult(scenario.title, "to be run", f"not run: {reason}", is_held=False)]
    except Exception as error:  # noqa: BLE001 - the other scenarios still run
        log.print_exception()
        results = [BenchmarkResult(scenario.title, "to be run", f"failed: {error!r}"[:300], is_held=False)]
    for result in results:
        outcome = "passed" if result.is_held else "FAILED"
        seconds = time.monotonic() - began
        log.print(f"{outcome} {scenario.name}: {result.measured} ({seconds:.0f} s in all)", highlight=False)
    return results


if __name__ == "__main__":
    sys.exit(main())
