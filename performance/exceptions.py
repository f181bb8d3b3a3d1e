"""Refusals of the ground floor. `errors` registers which words each becomes."""


class Refused(Exception):
    """Not now. seconds: how long to wait before it can be otherwise, at least."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class TooBusy(Refused):
    """Too many wait already."""


class TooFast(Refused):
    """The window has no room."""
