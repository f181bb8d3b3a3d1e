"""The figures of the report, measured: matching, coverage, changes, speed."""
