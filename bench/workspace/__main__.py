"""Workspaces under load, and the fill of an old site: `make bench-workspace`.

python -m bench.workspace
"""

import sys

from bench.harness import run_modules

MODULES = ["bench.workspace.load", "bench.workspace.fill"]

if __name__ == "__main__":
    sys.exit(run_modules("workspace", MODULES, __doc__))
