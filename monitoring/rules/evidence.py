"""What a rule is evaluated on: sums over time windows, over the last endings, and since the incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """Parameters of a rule, named as the fields of `Rule`."""

    kind: str = "ratio"
    comparison: str = ">"
    threshold: float = 0.05
    resolve_threshold: float | None = None
    window_seconds: int = 300
    widest_window_seconds: int = 1800
    enough_samples: int = 50
    least_samples: int = 8
    evidence_days: float = 3.0
    confidence: float = 0.95
    for_seconds: int = 60
    keep_firing_seconds: int = 120
    repeat_seconds: int = 14_400
    cooldown_seconds: int = 300
    no_data: str = "keep"

    @property
    def windows(self) -> list[int]:
        """The windows in seconds, narrowest first, each twice the previous one; the last is the widest allowed."""
        if self.kind == "gauge":
            return []
        windows = [max(self.window_seconds, 1)]
        while 2 * windows[-1] < self.widest_window_seconds:
            windows.append(2 * windows[-1])
        return windows if windows[-1] >= self.widest_window_seconds else [*windows, self.widest_window_seconds]

    @property
    def ending_counts(self) -> list[int]:
        """The numbers of last endings that are looked at, fewest first, each twice the previous one."""
        if self.kind == "gauge" or not self.evidence_days:
            return []
        counts = [max(self.least_samples, 1)]
        while counts[-1] < self.enough_samples:
            counts.append(min(2 * counts[-1], self.enough_samples))
        return counts


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Numerator and denominator of a ratio, seconds and count of a mean, or the value of a gauge and 1."""

    window_seconds: int
    numerator: float
    denominator: float


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """The sums at one evaluation; all empty if there are no samples.

    windows: one per window of the rule, narrowest first; one for a gauge. endings: one per number of last endings,
    fewest first, without those that `evidence_days` do not hold, but always all endings within them; empty if a window
    has enough samples. recovery: since the open alert may have recovered. until: the end of all of them.
    """

    until: datetime
    windows: Sequence[WindowSums] = ()
    endings: Sequence[WindowSums] = ()
    recovery: WindowSums | None = None

    @property
    def has_data(self) -> bool:
        """Whether there was any sample."""
        return bool(self.windows or self.endings)


def has_enough_samples(parameters: RuleParameters, windows: Sequence[WindowSums]) -> bool:
    """Return whether a time window is sufficient, so that the last endings are not needed."""
    return any(sums.denominator >= parameters.enough_samples for sums in windows)
