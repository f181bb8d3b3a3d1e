"""Admin of error messages, overrides and recorded errors."""

from errors.admin import copies, events, overrides

__all__ = ["copies", "events", "overrides"]
