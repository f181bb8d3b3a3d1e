"""Bytes on the wire of one diagnosis, over the socket and by polling: `make bench-bytes`.

    python -m bench.bytes [--seconds S]

The client is the mini-program's core; its traffic goes through a proxy that counts.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.harness import BenchmarkResult, info_only, run_measurements
from testing.site import PROJECT_ROOT

MEASURE_SCRIPT = Path(__file__).parent / "measure.js"
MAX_WIRE_BYTES = 8000
MIN_SAVED_SHARE = 0.9


def measure_bytes(seconds: float) -> dict[str, Any]:
    """Return the bytes pushed, polled every 2 s and "hurried" (every 800 ms), and events, seconds, connections."""
    done = subprocess.run(
        ["node", str(MEASURE_SCRIPT), str(seconds)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def build_bytes_results(measured: dict[str, Any]) -> list[BenchmarkResult]:
    """Compare with the targets."""
    pushed, polled, polled_fast = measured["pushed"], measured["polled"], measured["hurried"]
    saved = 1 - pushed / polled_fast
    size_text = f"{measured['events']} events in {measured['seconds']:.0f} s"
    return [
        BenchmarkResult(
            "bytes on the wire of a 60 s diagnosis of 60 events, both ways",
            "<= 8 kB (aim: 6)",
            f"{pushed / 1000:.1f} kB ({size_text})",
            pushed <= MAX_WIRE_BYTES and measured["events"] >= 60,
        ),
        BenchmarkResult(
            "less than polling the state every 800 ms, as the original did",
            ">= 90 %",
            f"{saved:.1%}: polling took {polled_fast / 1000:.1f} kB",
            saved >= MIN_SAVED_SHARE,
        ),
        info_only("less than polling every 2 s", f"{1 - pushed / polled:.1%}: polling took {polled / 1000:.1f} kB"),
        BenchmarkResult(
            "connections per diagnosis for its progress",
            "1",
            str(measured["connections"]),
            measured["connections"] == 1,
        ),
    ]


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="duration of the diagnosis (default 60)")
    options = parser.parse_args()
    return run_measurements(
        "bytes", [("bytes on the wire", lambda: build_bytes_results(measure_bytes(options.seconds)))]
    )


if __name__ == "__main__":
    sys.exit(main())
