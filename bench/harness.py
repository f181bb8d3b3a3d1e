"""What a bench prints and keeps: one row a figure, `K of M held`, and exit code 1 when one falls short."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS_DIRECTORY = Path(__file__).parent / "results"


@dataclass(frozen=True)
class BenchmarkResult:
    """One promise and what was measured of it."""

    figure: str
    must_be: str
    measured: str
    is_held: bool


def run_measurements(name: str, measurements: Sequence[Callable[[], BenchmarkResult | list[BenchmarkResult]]]) -> int:
    """Run the measurements one after another, print their rows, write `bench/results/NAME.json`.

    Returns the exit code: 1 when a figure falls short, or could not be measured.
    """
    console = Console(stderr=True)
    results: list[BenchmarkResult] = []
    for measure in measurements:
        with console.status(f"measuring: {(measure.__doc__ or measure.__name__).strip()}"):
            measured = measure()
        results += measured if isinstance(measured, list) else [measured]
    _print_table(results)
    _write_results(name, results)
    return 0 if all(figure.is_held for figure in results) else 1


def run_modules(name: str, modules: Sequence[str]) -> int:
    """Run modules one after another, each in a process of its own, then print and keep their figures as one.

    `bench.alerts.speed` reports under the name `alerts-speed`. Returns 1 when a figure falls short or is not there.
    """
    results: list[BenchmarkResult] = []
    for module in modules:
        result_path = RESULTS_DIRECTORY / f"{'-'.join(module.split('.')[1:])}.json"
        result_path.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", module], check=False, stdout=subprocess.DEVNULL)
        if result_path.exists():
            results += [BenchmarkResult(**one) for one in json.loads(result_path.read_text())["figures"]]
        else:
            results.append(BenchmarkResult(module, "to be measured", "it ended without a figure", is_held=False))
    _print_table(results)
    _write_results(name, results)
    return 0 if all(figure.is_held for figure in results) else 1


def with_label(
    name: str, measure: Callable[[], BenchmarkResult | list[BenchmarkResult]]
) -> Callable[[], BenchmarkResult | list[BenchmarkResult]]:
    """The measurement under a name that is shown while it runs."""

    def measured() -> BenchmarkResult | list[BenchmarkResult]:
        return measure()

    measured.__doc__ = name
    return measured


def _print_table(figures: list[BenchmarkResult]) -> None:
    table = Table("figure", "must be", "measured", "", show_lines=False)
    for one in figures:
        table.add_row(one.figure, one.must_be, one.measured, "held" if one.is_held else "NOT HELD")
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print(f"{sum(one.is_held for one in figures)} of {len(figures)} held")


def _write_results(name: str, figures: list[BenchmarkResult]) -> None:
    RESULTS_DIRECTORY.mkdir(exist_ok=True)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "figures": [asdict(one) for one in figures],
    }
    (RESULTS_DIRECTORY / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
