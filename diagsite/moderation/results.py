"""What a check of texts can say."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """The judgement of a text."""

    PASS = "pass"
    REVIEW = "review"  # doubtful, such as an advertisement
    RISKY = "risky"


class Checker(NamedTuple):
    """A service that checks texts. check: (text, seconds that it may take) -> verdict; it may raise CheckFailed."""

    name: str
    max_characters: int
    check: Callable[[str, float], Verdict]


class CheckFailed(Exception):
    """The service gave no verdict. reason: its error code or the class of an exception, for the log."""

    def __init__(self, reason: str, *, is_retryable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable
