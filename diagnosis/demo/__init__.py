"""A workspace of a fictional brand with the runs of twelve weeks, for sites with demo platforms."""
