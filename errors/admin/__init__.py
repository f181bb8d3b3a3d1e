"""Where operators edit the words and look at what went wrong."""

from errors.admin import copies, events, overrides

__all__ = ["copies", "events", "overrides"]
