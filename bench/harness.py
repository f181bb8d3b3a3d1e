"""What a bench prints and stores: one row per figure, `K of M held`, and exit code 1 if a figure misses its target."""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS_DIRECTORY = Path(__file__).parent / "results"
INFO_ONLY = "info only"


@dataclass(frozen=True)
class BenchmarkResult:
    """A figure, its target ("info only": it has none), the measured value, and whether that meets the target."""

    figure: str
    must_be: str
    measured: str
    is_held: bool


Measure = Callable[[], BenchmarkResult | list[BenchmarkResult]]


def info_only(figure: str, measured: str) -> BenchmarkResult:
    """Return a result without a target."""
    return BenchmarkResult(figure, INFO_ONLY, measured, is_held=True)


def run_measurements(name: str, measurements: Sequence[tuple[str, Measure]]) -> int:
    """Run labelled measurements one after another, print their rows, write `bench/results/NAME.json`.

    Returns the exit code: 1 if a figure misses its target.
    """
    console = Console(stderr=True)
    results: list[BenchmarkResult] = []
    for label, measure in measurements:
        with console.status(f"measuring: {label}"):
            measured = measure()
        results += measured if isinstance(measured, list) else [measured]
    return _report(name, results)


def run_modules(name: str, modules: Sequence[str], description: str) -> int:
    """Run bench modules one after another, each in its own process; print and store all their figures as one bench.

    `bench.alerts.speed` stores its results as `alerts-speed`. description: what `--help` prints, instead of running.
    Returns 1 if a figure misses its target or is missing.
    """
    argparse.ArgumentParser(description=description).parse_args()
    results: list[BenchmarkResult] = []
    for module in modules:
        result_path = RESULTS_DIRECTORY / f"{'-'.join(module.split('.')[1:])}.json"
        result_path.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", module], check=False, stdout=subprocess.DEVNULL)
        if result_path.exists():
            results += [BenchmarkResult(**row) for row in json.loads(result_path.read_text())["figures"]]
        else:
            results.append(BenchmarkResult(module, "to be measured", "ended without a result", is_held=False))
    return _report(name, results)


def _report(name: str, results: list[BenchmarkResult]) -> int:
    table = Table("figure", "must be", "measured", "", show_lines=False)
    for result in results:
        table.add_row(result.figure, result.must_be, result.measured, "passed" if result.is_held else "FAILED")
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print(f"{sum(result.is_held for result in results)} of {len(results)} held")
    RESULTS_DIRECTORY.mkdir(exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "figures": [asdict(result) for result in results],
    }
    (RESULTS_DIRECTORY / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return 0 if all(result.is_held for result in results) else 1


def get_quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def get_peak_memory_megabytes() -> float:
    """Return the largest resident size that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
