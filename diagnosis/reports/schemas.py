"""Schemas of the report. Rates are between 0 and 1; null means unknown or not available, never 0.

`FiguresOut` is also the declaration of the figures that reports store; the export schema includes all of them.
"""

import uuid
from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

Scope = Literal["these_questions", "population"]


class FiguresOut(Schema):
    """Figures of a brand over a set of planned answers; the unit is one valid answer. low, high: 95 % intervals.

    scope (of the rates) and voice_scope (of the share of voice): whether the interval is valid for similar questions
    ("population") or for this set of questions only.
    """

    planned: int
    valid: int
    mentions: int = Field(description="valid answers that certainly mention the brand")
    mention_rate: float | None
    mention_rate_low: float | None
    mention_rate_high: float | None
    first_mentions: int = Field(description="valid answers that mention it before the others")
    first_mention_rate: float | None
    first_mention_rate_low: float | None
    first_mention_rate_high: float | None
    share_of_voice: float | None = Field(description="of all brands' mentions, each brand once per answer")
    share_of_voice_low: float | None = Field(
        description="bootstrap over questions; null with fewer than two, or with a share of 0 or 1"
    )
    share_of_voice_high: float | None
    mean_position: float | None = Field(description="1 is first, over answers with a mention; null below five")
    mean_reciprocal_rank: float | None = Field(description="mean of 1/position over valid answers, 0 without a mention")
    judged: int = Field(description="valid answers that the judge has read; 0 without a judge")
    recommendations: int = Field(description="judged answers that recommend the brand")
    recommendation_rate: float | None = Field(description="of the judged answers")
    recommendation_rate_low: float | None
    recommendation_rate_high: float | None
    advised_against: int = Field(description="judged answers that advise against the brand")
    uncertain: int = Field(description="answers with uncertain mentions only, for the user to confirm; in no rate")
    scope: Scope
    voice_scope: Scope


class QuoteOut(Schema):
    """A verbatim quote from the answer, at [start, end) in code points."""

    answer: uuid.UUID
    question: uuid.UUID
    platform: str
    sentiment: Literal["positive", "neutral", "negative", "unclear"]
    text: str
    start: int
    end: int


class SentimentOut(Schema):
    """Counts over the judged answers that mention the brand; a judgement without a matching quote is unclear.

    praise, blame: what the brand is praised and blamed for, verbatim.
    """

    judged: int
    positive: int
    neutral: int
    negative: int
    unclear: int
    quotes: list[QuoteOut]
    praise: list[QuoteOut]
    blame: list[QuoteOut]


class BrandReportOut(Schema):
    """A brand: overall, by platform id and by question id, over questions of one kind. sentiment: null is 未评估."""

    name: str
    is_own: bool
    figures: FiguresOut
    sentiment: SentimentOut | None
    by_platform: dict[str, FiguresOut]
    by_question: dict[uuid.UUID, FiguresOut]


class CountsOut(Schema):
    """Counts of answers by state; only valid ones are in a denominator."""

    planned: int
    valid: int
    failed: int
    filtered: int
    truncated: int = Field(description="answers that the platform cut off; kept, and in no rate")
    without_search: int = Field(description="complete answers without the search that was asked for; in no rate")
    repeated: int = Field(description="valid answers with the same text as an earlier one, as from a platform's cache")


class PlatformReportOut(CountsOut):
    """A platform of the diagnosis."""

    id: str
    name: str
    model: str
    demo: bool


class QuestionReportOut(Schema):
    """A question with its counts, which are missing when the analysis failed.

    kind: "recognition" when the question names a brand of the diagnosis; its answers are in `recognition` only.
    """

    id: uuid.UUID
    text: str
    kind: Literal["unbranded", "recognition"] = "unbranded"
    named: list[str] = Field(default_factory=list, description="the brands that the question names")
    planned: int | None = None
    valid: int | None = None
    failed: int | None = None
    filtered: int | None = None
    truncated: int | None = None
    without_search: int | None = None
    repeated: int | None = None


class CellOut(CountsOut):
    """A question on a platform, a cell of the heat map. mentions: {brand: answers that mention it}."""

    question: uuid.UUID
    platform: str
    mentions: dict[str, int]


VerdictKind = Literal[
    "higher",
    "lower",
    "undecided",
    "no_competitors",
    "not_mentioned",
    "only_recognition",
    "no_answers",
    "not_analysed",
]


class RivalDifferenceOut(Schema):
    """The own brand's mention rate minus a competitor's, on the same answers (diagnosis/reports/paired.py).

    low, high: its interval at `confidence`, which is corrected for the number of competitors. The result is "higher" or
    "lower" only when the interval excludes 0.
    """

    rival: str
    rival_rate: float
    result: Literal["higher", "lower", "undecided"]
    difference: float
    low: float
    high: float
    confidence: float
    p_value: float = Field(description="of McNemar's exact test, two-sided")
    only_own: int = Field(description="answers that mention the own brand and not the competitor")
    only_rival: int
    answers: int
    questions: int
    method: Literal["mcnemar", "mcnemar_by_question"]


class VerdictOut(Schema):
    """The report in one sentence, and the data behind it.

    kind: "higher", "lower" and "undecided" compare the own brand with the leading competitors; "not_mentioned": no
    answer mentions a brand of the diagnosis; "only_recognition": every question names a brand; "not_analysed": no
    figures.
    """

    kind: VerdictKind
    brand: str | None
    rate: float | None
    answers: int = Field(description="valid answers to questions that name no brand")
    rivals: list[str] = Field(description="the competitors with the highest rate; several when they are equal")
    rival_rate: float | None
    leader: RivalDifferenceOut | None = Field(description="the comparison with them; of several, the least certain")
    comparisons: list[RivalDifferenceOut] = Field(description="one for each competitor")
    text: str


class RecognitionOut(CountsOut):
    """Figures over the questions that name a brand, apart because answers repeat the brands of their question."""

    brands: list[BrandReportOut]
    cells: list[CellOut]


class LostOut(Schema):
    """A question where competitors are mentioned in more answers than the own brand, with the leading ones."""

    question: uuid.UUID
    planned: int
    valid: int
    mentions: int
    winners: list[str]
    winners_mentions: int


class OtherBrandOut(Schema):
    """A brand that is not part of the diagnosis. is_guess: found by the structure of the answers only."""

    name: str
    answers: int
    is_guess: bool


class DomainOut(Schema):
    """A host whose addresses stand in the text of answers, perhaps invented, with the number of these answers."""

    domain: str
    answers: int


class ListedShare(Schema):
    """Answers that have a host among their sources, cited or only shown to the model, with a 95 % interval."""

    listed: int
    listed_rate: float | None
    listed_rate_low: float | None
    listed_rate_high: float | None


class CitedShare(Schema):
    """Answers that cite a host. A platform that does not mark its citations adds nothing: it is not known to cite."""

    cited: int
    cited_rate: float | None
    cited_rate_low: float | None
    cited_rate_high: float | None


class OwnSiteOut(Schema):
    """Answers that cite the brand's own site, and those that list it, cited or not."""

    own_site_cited: int
    own_site_cited_rate: float | None
    own_site_cited_rate_low: float | None
    own_site_cited_rate_high: float | None
    own_site_listed: int
    own_site_listed_rate: float | None
    own_site_listed_rate_low: float | None
    own_site_listed_rate_high: float | None


SiteKindText = Literal["own", "competitor", "media", "community", "shop", "reference"]


class SourceKindOut(ListedShare, CitedShare):
    """Answers by kind of site; null is unclassified."""

    kind: SiteKindText | None


class SourceHostOut(SourceKindOut):
    """A host, counted once per answer. brand: whose site it is. pages: different pages of it."""

    host: str
    brand: str | None
    pages: int


class SourcePageOut(Schema):
    """A page; all addresses of one page are one."""

    page: str
    url: str
    host: str
    kind: SiteKindText | None
    title: str
    listed: int
    cited: int


class SourceGapOut(Schema):
    """Answers that name a competitor and not the brand, and their sources. It says nothing about what a page says."""

    answers: int
    hosts: list[SourceHostOut]


class SearchedTextOut(Schema):
    """A query that platforms searched for."""

    text: str
    answers: int


class PlatformSourcesOut(OwnSiteOut):
    """A platform. tells_sources, tells_citations, tells_queries: whether its replies have them."""

    platform: str
    answers: int
    tells_sources: bool
    tells_citations: bool
    tells_queries: bool
    hosts: list[SourceHostOut]


class SurfaceSourcesOut(OwnSiteOut):
    """The sources of one surface. answers: the valid ones of platforms that tell their sources, the base of all rates.

    answers_untold: valid answers of platforms that do not.
    """

    surface: Literal["search", "app"]
    answers: int
    answers_untold: int
    kinds: list[SourceKindOut]
    hosts: list[SourceHostOut]
    pages: list[SourcePageOut]
    gap: SourceGapOut
    queries: list[SearchedTextOut]
    platforms: list[PlatformSourcesOut]


class SurfaceBrandOut(Schema):
    """A brand's figures on one surface."""

    name: str
    is_own: bool
    figures: FiguresOut


class SurfaceReportOut(CountsOut):
    """One surface: what was measured. Figures of different surfaces are never added up."""

    surface: Literal["memory", "search", "app"]
    platforms: list[str]
    brands: list[SurfaceBrandOut]


class FailureOut(Schema):
    """A reason for missing answers, by platform."""

    platform: str
    code: str
    count: int
    title: str
    suggestion: str


class ReportedDiagnosisOut(Schema):
    """The diagnosis that the report describes."""

    id: uuid.UUID
    brand: str
    status: str
    created_at: datetime
    finished_at: datetime | None


class ReportOut(CountsOut):
    """A report; its top-level counts cover all answers."""

    version: int
    diagnosis: ReportedDiagnosisOut
    demo: bool
    ai_label: str
    unbranded: CountsOut = Field(description="counts of the answers behind `brands`, `cells` and `lost`")
    verdict: VerdictOut
    brands: list[BrandReportOut]
    platforms: list[PlatformReportOut]
    questions: list[QuestionReportOut]
    cells: list[CellOut]
    judged: int | None = Field(description="valid answers that the judge has read; null is 未评估")
    lost: list[LostOut]
    recognition: RecognitionOut | None = Field(description="null when no question names a brand")
    others: list[OtherBrandOut]
    domains: list[DomainOut] | None = Field(description="null when no text names any; not a source")
    domains_by_platform: dict[str, list[DomainOut] | None]
    surface: Literal["memory", "search", "app"] = Field(
        description="what `verdict`, `brands`, `lost` and `recognition` measure; platforms and cells have their own"
    )
    surfaces: list[SurfaceReportOut] = Field(description="the same figures for each surface of the diagnosis")
    sources: list[SurfaceSourcesOut] = Field(description="where the answers come from, for each surface with a search")
    failures: list[FailureOut]
    method: dict[str, Any]


class MentionOut(Schema):
    """A mention of a brand, at [start, end) in code points of the answer's text.

    state: "certain"; "uncertain" and not counted if the name may be an ordinary word; "judged", certain by the judge;
    or "confirmed" by the user.
    """

    brand: str
    start: int
    end: int
    state: Literal["certain", "uncertain", "judged", "confirmed"]


class AnswerFactsOut(Schema):
    """A planned answer with its text.

    others: brands in the text that are not part of the diagnosis; null if they were not searched for. discovered:
    guesses of such, by the structure of the text.
    """

    id: uuid.UUID
    question: uuid.UUID
    platform: str
    repeat: int
    state: str
    truncated: bool
    without_search: bool
    text: str
    mentions: list[MentionOut]
    others: list[str] | None
    discovered: list[str]
    domains: list[str] | None
    model: str
    ms: int | None
    code: str
    demo: bool
    carried_over: bool
    answered_at: datetime | None


class AnswerSourceOut(Schema):
    """A page that the platform names, in its own order with duplicates; position is from 0.

    cited: "unknown" if the platform does not mark its citations. spans: where the text cites it, [start, end).
    """

    position: int
    label: str
    url: str
    page: str
    host: str
    title: str
    site: str
    published: str
    origin: Literal["result", "citation", "opened", "self_reported"]
    cited: Literal["yes", "no", "unknown"]
    spans: list[tuple[int, int]]


class AnswerSearchOut(Schema):
    """How an answer was asked for, and where it comes from. params_hash: equal if all but the question was equal."""

    surface: Literal["memory", "search", "app"]
    protocol: str
    requested_model: str
    params_hash: str
    search_happened: Literal["yes", "no", "unknown"]
    search_count: int | None
    queries: list[str] | None = Field(description="what the platform searched for; null if it does not tell")
    sources: list[AnswerSourceOut]
