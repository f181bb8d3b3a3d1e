"""The value that a rule measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value with its confidence interval; value and bounds are None when there are too few samples.

    The field names are also columns of Alert and RuleState.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    window_seconds: int = 0
