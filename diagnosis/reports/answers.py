"""What the report uses of a planned answer and of a brand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from diagnosis.analysis.extraction import ExtractedBrand
from diagnosis.choices import AnswerState, PlatformSurface


@dataclass(frozen=True)
class ReportAnswer:
    """The part of a planned answer that the report uses.

    mentioned: brands in order of their first mention; uncertain: brands with uncertain mentions only.
    others: brands that are not part of the diagnosis; discovered: guesses of such.
    domains: cited hosts, None if not analysed.
    extracted: what the judge found about the brands of the diagnosis, None if the answer was not judged.
    is_truncated: cut off by the platform. is_repeated: same text as an earlier answer of the platform to the question.
    is_without_search: a search was asked for and is not known to have happened.
    surface: what was measured; answers of different surfaces are never pooled.
    """

    platform: str
    state: str
    mentioned: Sequence[str] = ()
    error_code: str = ""
    question: str = ""
    uncertain: Sequence[str] = ()
    others: Sequence[str] = ()
    discovered: Sequence[str] = ()
    domains: Sequence[str] | None = None
    id: str = ""
    extracted: Mapping[str, ExtractedBrand] | None = None
    is_truncated: bool = False
    is_repeated: bool = False
    is_without_search: bool = False
    surface: str = PlatformSurface.MEMORY

    @property
    def is_valid(self) -> bool:
        """Whether it counts in rates: a complete answer, with the search that was asked for."""
        return self.state == AnswerState.VALID and not self.is_truncated and not self.is_without_search


@dataclass(frozen=True)
class ReportBrand:
    name: str
    is_own: bool


def filter_valid(answers: Iterable[ReportAnswer]) -> list[ReportAnswer]:
    """Return the answers that count in rates."""
    return [answer for answer in answers if answer.is_valid]


def count_states(answers: Sequence[ReportAnswer]) -> dict[str, int]:
    """Count answers by state; each but the repeated ones, which are valid, is in one count."""
    states = [answer.state for answer in answers]
    valid = filter_valid(answers)
    complete = [answer for answer in answers if answer.state == AnswerState.VALID and not answer.is_truncated]
    return {
        "planned": len(answers),
        "valid": len(valid),
        "failed": states.count(AnswerState.FAILED),
        "filtered": states.count(AnswerState.FILTERED),
        "truncated": states.count(AnswerState.VALID) - len(complete),
        "without_search": len(complete) - len(valid),
        "repeated": sum(answer.is_repeated for answer in valid),
    }
