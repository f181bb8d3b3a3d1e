"""Loaded last by the fork server: what is loaded so far is never garbage.

Without this, each copy would scan it again while it starts, and so copy its memory pages.
"""

import gc

gc.collect()
gc.freeze()
