"""Bytes on the wire of one diagnosis, over the socket and by polling: `make bench-bytes`.

    python -m bench.bytes [--seconds S]

The client is the mini-program's own core, through a proxy that counts.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.harness import BenchmarkResult, run_measurements, with_label

MEASURE_SCRIPT = Path(__file__).parent / "measure.js"
PROJECT_ROOT = Path(__file__).parents[2]
MAX_WIRE_BYTES = 8000
MIN_SAVED_SHARE = 0.9


def measure_bytes(seconds: float) -> dict[str, Any]:
    """Bytes pushed, polled every 2 s and hurried (every 800 ms), events, seconds, connections."""
    done = subprocess.run(
        ["node", str(MEASURE_SCRIPT), str(seconds)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def build_bytes_results(found: dict[str, Any]) -> list[BenchmarkResult]:
    """Against the promises."""
    pushed, polled, polled_fast = found["pushed"], found["polled"], found["hurried"]
    saved = 1 - pushed / polled_fast
    size_text = f"{found['events']} events in {found['seconds']:.0f} s"
    return [
        BenchmarkResult(
            "bytes on the wire of a 60 s diagnosis of 60 events, both ways",
            "<= 8 kB (aim: 6)",
            f"{pushed / 1000:.1f} kB ({size_text})",
            pushed <= MAX_WIRE_BYTES and found["events"] >= 60,
        ),
        BenchmarkResult(
            "less than polling the state every 800 ms, as the origin did",
            ">= 90 %",
            f"{saved:.1%}: polling took {polled_fast / 1000:.1f} kB",
            saved >= MIN_SAVED_SHARE,
        ),
        BenchmarkResult(
            "less than polling every 2 s",
            "told",
            f"{1 - pushed / polled:.1%}: polling took {polled / 1000:.1f} kB",
            True,
        ),
        BenchmarkResult(
            "connections per diagnosis for its progress", "1", str(found["connections"]), found["connections"] == 1
        ),
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="that the diagnosis takes (default 60)")
    options = parser.parse_args()
    return run_measurements(
        "bytes", [with_label("bytes on the wire", lambda: build_bytes_results(measure_bytes(options.seconds)))]
    )


if __name__ == "__main__":
    sys.exit(main())
