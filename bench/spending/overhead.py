"""What the site itself adds to the time of the calls: the row of `make bench-jobs`, beside the calls that it bounds.

python -m bench.spending.overhead [--rounds N]
"""

import argparse
import sys

from bench.environment import running_services_with_redis
from bench.harness import run_measurements
from bench.jobs.__main__ import check_overhead


def main() -> int:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the diagnosis of 40 calls (default 9)")
    options = parser.parse_args()
    with running_services_with_redis(parser) as redis_url:
        return run_measurements("spending-overhead", [("overhead", lambda: check_overhead(redis_url, options.rounds))])


if __name__ == "__main__":
    sys.exit(main())
