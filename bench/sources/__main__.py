"""Sources of answers: cited pages, speed of report and list, search calls at once: `make bench-sources`.

python -m bench.sources
"""

import sys

from bench.harness import run_modules

MODULES = ["bench.sources.accuracy", "bench.sources.speed", "bench.sources.overhead"]

if __name__ == "__main__":
    sys.exit(run_modules("sources", MODULES, __doc__))
