"""The report as the HTTP API gives it. Rates are 0-1; null is unknown or not available, never 0."""

import uuid
from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

Scope = Literal["these_questions", "population"]


class FiguresOut(Schema):
    """One brand over a set of planned answers; the unit is one valid answer. low and high: 95 % intervals.

    scope and voice_scope: whether the interval of the rates, and of the share of voice, holds for questions like these
    or for this set only.
    """

    planned: int
    valid: int
    mentions: int = Field(description="valid answers that surely name the brand")
    mention_rate: float | None
    mention_rate_low: float | None
    mention_rate_high: float | None
    first_mentions: int = Field(description="valid answers that name it before the others")
    first_mention_rate: float | None
    first_mention_rate_low: float | None
    first_mention_rate_high: float | None
    share_of_voice: float | None = Field(description="of all brands' mentions, each brand once per answer")
    share_of_voice_low: float | None = Field(
        description="bootstrap over questions; null with less than two, or where the brand has no voice or all"
    )
    share_of_voice_high: float | None
    mean_position: float | None = Field(description="1 is first, over `mentions` answers; null under five")
    mean_reciprocal_rank: float | None = Field(description="of 1/position, 0 where it is not named")
    uncertain: int = Field(description="answers that may name it, which only the user can say; in no rate")
    scope: Scope
    voice_scope: Scope


class QuoteOut(Schema):
    """Word for word from the answer, at [start, end) in code points."""

    answer: uuid.UUID
    question: uuid.UUID
    platform: str
    sentiment: Literal["positive", "neutral", "negative", "unclear"]
    text: str
    start: int
    end: int


class SentimentOut(Schema):
    """Counts over the judged answers that name the brand; unclear: also where the judge's quote is not there."""

    judged: int
    positive: int
    neutral: int
    negative: int
    unclear: int
    quotes: list[QuoteOut]


class BrandReportOut(Schema):
    """A brand in all, by platform id and by question id, over questions of one kind. sentiment: null is 未评估."""

    name: str
    is_own: bool
    figures: FiguresOut
    sentiment: SentimentOut | None
    by_platform: dict[str, FiguresOut]
    by_question: dict[uuid.UUID, FiguresOut]


class CountsOut(Schema):
    """n valid of N planned; failed and filtered answers are in no denominator."""

    planned: int
    valid: int
    failed: int
    filtered: int


class PlatformReportOut(CountsOut):
    """A platform that was asked."""

    id: str
    name: str
    model: str
    demo: bool


class QuestionReportOut(Schema):
    """A question with its counts, which a report without an analysis lacks.

    kind: "recognition" when it names a brand of the diagnosis, and then its answers are in `recognition` alone.
    """

    id: uuid.UUID
    text: str
    kind: Literal["unbranded", "recognition"] = "unbranded"
    named: list[str] = Field(default_factory=list, description="the brands that the question names")
    planned: int | None = None
    valid: int | None = None
    failed: int | None = None
    filtered: int | None = None


class CellOut(CountsOut):
    """A question on a platform: what the heat map shows. mentions: {brand: answers that name it}."""

    question: uuid.UUID
    platform: str
    mentions: dict[str, int]


class RecognitionOut(CountsOut):
    """The figures over the questions that name a brand: who is named in a question is echoed in its answers."""

    brands: list[BrandReportOut]
    cells: list[CellOut]


class LostOut(Schema):
    """A question at which competitors are named in more answers than the own brand, and the best of them."""

    question: uuid.UUID
    planned: int
    valid: int
    mentions: int
    winners: list[str]
    winners_mentions: int


class OtherBrandOut(Schema):
    """A known brand that nobody asked for."""

    name: str
    answers: int


class DomainOut(Schema):
    """A host that answers cite."""

    domain: str
    answers: int


class FailureOut(Schema):
    """Why answers are missing."""

    platform: str
    code: str
    count: int
    title: str
    suggestion: str


class ReportedDiagnosisOut(Schema):
    """Of which diagnosis the report is."""

    id: uuid.UUID
    brand: str
    status: str
    created_at: datetime
    finished_at: datetime | None


class ReportOut(CountsOut):
    """The whole report; its own counts are of all answers. There is no score over all figures."""

    version: int
    diagnosis: ReportedDiagnosisOut
    demo: bool
    ai_label: str
    unbranded: CountsOut = Field(description="of the answers that `brands`, `cells` and `lost` are about")
    brands: list[BrandReportOut]
    platforms: list[PlatformReportOut]
    questions: list[QuestionReportOut]
    cells: list[CellOut]
    judged: int | None = Field(description="answers whose sentiment was judged; null is 未评估")
    lost: list[LostOut]
    recognition: RecognitionOut | None = Field(description="null when no question names a brand")
    others: list[OtherBrandOut]
    domains: list[DomainOut] | None = Field(description="null where no answer cites any: not available is not zero")
    domains_by_platform: dict[str, list[DomainOut] | None]
    failures: list[FailureOut]
    method: dict[str, Any]
