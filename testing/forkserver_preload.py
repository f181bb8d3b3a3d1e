"""Loaded last by what tests' processes are copied from: what it has loaded so far is no garbage, ever.

A copy would otherwise walk through all of it again and again while it starts, and thereby make the pages its own.
"""

import gc

gc.collect()
gc.freeze()
