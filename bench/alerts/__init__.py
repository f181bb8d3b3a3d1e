"""Benchmarks of monitoring and alerts."""
