"""Running totals of a rule's numerator and denominator by moment, from which the evidence of any moment is read."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from monitoring.rules.evidence import RuleEvidence, RuleParameters, WindowSums, has_enough_samples

Step = tuple[datetime, float, float]  # end of a bucket, increase of the numerator and of the denominator during it


class EndingSeries:
    """The steps of a rule in order of time. Buckets without an increase may be left out."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._moments: list[datetime] = []
        self._numerators, self._denominators = [0.0], [0.0]
        for moment, numerator, denominator in steps:
            self._moments.append(moment)
            self._numerators.append(self._numerators[-1] + numerator)
            self._denominators.append(self._denominators[-1] + denominator)
        assert all(earlier < later for earlier, later in pairwise(self._moments))

    def sum_between(self, start: datetime, until: datetime) -> WindowSums:
        """Return the sums of the steps after `start` up to `until`."""
        return self._sum(bisect_right(self._moments, start), bisect_right(self._moments, until), until - start)

    def sum_last_endings(self, parameters: RuleParameters, since: datetime | None, until: datetime) -> list[WindowSums]:
        """Return the sums of the last endings for each number of them; see RuleEvidence.endings."""
        earliest = until - timedelta(days=parameters.evidence_days)
        first = bisect_right(self._moments, earliest if since is None else max(earliest, since))
        last = bisect_right(self._moments, until)
        endings: list[WindowSums] = []
        for count in parameters.ending_counts:
            # The last step from which on there are at least so many.
            start = max(first, bisect_right(self._denominators, self._denominators[last] - count) - 1)
            if start >= last:
                break
            endings.append(self._sum(start, last, until - self._moments[start]))
            if self._denominators[last] - self._denominators[start] < count:
                break
        return endings

    def build_evidence(
        self, parameters: RuleParameters, until: datetime, *, since: datetime | None, recovered_since: datetime | None
    ) -> RuleEvidence:
        """Return the evidence at a moment, of samples after `since`."""
        windows = []
        for seconds in parameters.windows:
            start = until - timedelta(seconds=seconds)
            windows.append(self.sum_between(start if since is None else max(start, since), until))
        endings = [] if has_enough_samples(parameters, windows) else self.sum_last_endings(parameters, since, until)
        recovery = None if recovered_since is None else self.sum_between(recovered_since, until)
        return RuleEvidence(until, windows, endings, recovery)

    def _sum(self, first: int, last: int, duration: timedelta) -> WindowSums:
        return WindowSums(
            max(0, int(duration.total_seconds())),
            self._numerators[last] - self._numerators[first],
            self._denominators[last] - self._denominators[first],
        )


def build_ending_series(
    numerators: Iterable[tuple[datetime, float]], denominators: Iterable[tuple[datetime, float]]
) -> EndingSeries:
    """Build the series from increases in any order, several of which may end at the same moment."""
    sums: dict[datetime, list[float]] = {}
    for column, increases in enumerate((numerators, denominators)):
        for moment, increase in increases:
            sums.setdefault(moment, [0.0, 0.0])[column] += increase
    return EndingSeries((moment, numerator, denominator) for moment, (numerator, denominator) in sorted(sums.items()))
