"""Checks before a deployment; each reports its result and how to fix a problem."""
