"""Benchmarks of reports: brand matching, coverage of intervals, detection of changes, speed."""
