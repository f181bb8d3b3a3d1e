"""Figures of a deploy."""
