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

from bench.figures import Figure, named, report

SCRIPT = Path(__file__).parent / "measure.js"
ROOT = Path(__file__).parents[2]
MOST_BYTES = 8000
LEAST_SAVED = 0.9


def measure(seconds: float) -> dict[str, Any]:
    """Bytes pushed, polled every 2 s and hurried (every 800 ms), events, seconds, connections."""
    done = subprocess.run(["node", str(SCRIPT), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def bytes_figures(found: dict[str, Any]) -> list[Figure]:
    """Against the promises."""
    pushed, polled, hurried = found["pushed"], found["polled"], found["hurried"]
    saved = 1 - pushed / hurried
    of = f"{found['events']} events in {found['seconds']:.0f} s"
    return [
        Figure(
            "bytes on the wire of a 60 s diagnosis of 60 events, both ways",
            "<= 8 kB (aim: 6)",
            f"{pushed / 1000:.1f} kB ({of})",
            pushed <= MOST_BYTES and found["events"] >= 60,
        ),
        Figure(
            "less than polling the state every 800 ms, as the origin did",
            ">= 90 %",
            f"{saved:.1%}: polling took {hurried / 1000:.1f} kB",
            saved >= LEAST_SAVED,
        ),
        Figure(
            "less than polling every 2 s",
            "told",
            f"{1 - pushed / polled:.1%}: polling took {polled / 1000:.1f} kB",
            True,
        ),
        Figure("connections per diagnosis for its progress", "1", str(found["connections"]), found["connections"] == 1),
    ]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="that the diagnosis takes (default 60)")
    options = parser.parse_args()
    return report("bytes", [named("bytes on the wire", lambda: bytes_figures(measure(options.seconds)))])


if __name__ == "__main__":
    sys.exit(main())
