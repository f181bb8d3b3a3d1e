"""Calls that are paid for: wanted, counted and within budget: `make bench-spending`.

python -m bench.spending
"""

import sys

from bench.harness import run_modules

MODULES = ["bench.spending.calls", "bench.spending.ledger", "bench.spending.overhead"]

if __name__ == "__main__":
    sys.exit(run_modules("spending", MODULES, __doc__))
