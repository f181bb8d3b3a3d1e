"""All benches of monitoring and alerts: `make bench-alerts`."""

import sys

from bench.harness import run_modules

MODULES = [
    "coverage",
    "simulation",
    "volumes",
    "scenarios",
    "kills",
    "evaluators",
    "speed",
    "instruments",
    "watchdog",
    "dashboard",
]

if __name__ == "__main__":
    sys.exit(run_modules("alerts", [f"bench.alerts.{name}" for name in MODULES], __doc__))
