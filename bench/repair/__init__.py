"""Figures of the repair of old records."""
