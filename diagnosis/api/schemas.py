"""Request and response bodies of the HTTP API; docs/reference/protocol.md describes them."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from diagnosis.analysis.mentions import normalize_spelling
from diagnosis.orders.services import DiagnosisRequest, RequestedBrand
from diagnosis.readable import is_readable
from diagnosis.reports.schemas import AnswerFactsOut
from diagnosis.sites import normalize_site


def validate_readable(text: str) -> str:
    """Return the text. Raises a validation error if it cannot be stored or read."""
    if not is_readable(text):
        raise PydanticCustomError("unreadable", "contains control characters, or nothing visible")
    return text


NameText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(validate_readable)
]
QuestionText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(validate_readable)
]
LongText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(validate_readable)
]
PlatformId = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32), AfterValidator(validate_readable)
]


def _validate_site(text: str) -> str:
    host = normalize_site(text)
    if not host:
        raise PydanticCustomError("site", "not a host such as example.com")
    return host


SiteText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_validate_site)
]
Sites = Annotated[
    list[SiteText], Field(default_factory=list, max_length=5, description="hosts of the brand's own sites")
]


class BrandIn(Schema):
    """A competitor."""

    name: NameText
    aliases: list[NameText] = Field(default_factory=list, max_length=10)
    sites: Sites


class OrderIn(Schema):
    """The request of a diagnosis."""

    brand: NameText
    aliases: list[NameText] = Field(default_factory=list, max_length=10)
    sites: Sites
    competitors: list[BrandIn] = Field(default_factory=list, max_length=10)
    questions: list[QuestionText] = Field(min_length=1, max_length=20)
    platforms: list[PlatformId] = Field(min_length=1, max_length=12)
    repeats: int = Field(default=1, ge=1, le=5)
    questions_about_brand: list[Annotated[int, Field(ge=0, lt=20)]] = Field(
        default_factory=list,
        max_length=20,
        description="indices of questions where a name that may be an ordinary word means the brand",
    )
    workspace: uuid.UUID | None = Field(
        default=None, description="where the diagnosis belongs; by default the caller's workspace of the brand"
    )

    @model_validator(mode="after")
    def _validate_unique(self) -> "OrderIn":
        """Reject duplicates, which would be paid for twice or counted for the wrong brand."""
        _reject_duplicates((f"questions.{index}", text, index) for index, text in enumerate(self.questions))
        _reject_duplicates((f"platforms.{index}", name, index) for index, name in enumerate(self.platforms))
        # An alias may repeat its own brand, but not another one.
        spellings = [("brand", self.brand, -1)]
        spellings += [(f"aliases.{index}", alias, -1) for index, alias in enumerate(self.aliases)]
        for number, competitor in enumerate(self.competitors):
            field = f"competitors.{number}"
            spellings.append((f"{field}.name", competitor.name, number))
            spellings += [(f"{field}.aliases.{i}", alias, number) for i, alias in enumerate(competitor.aliases)]
        _reject_duplicates(spellings)
        return self

    def to_request(self) -> DiagnosisRequest:
        """Return the request for the service."""
        return DiagnosisRequest(
            brand=RequestedBrand(self.brand, tuple(self.aliases), tuple(self.sites)),
            competitors=[
                RequestedBrand(brand.name, tuple(brand.aliases), tuple(brand.sites)) for brand in self.competitors
            ],
            questions=self.questions,
            platforms=self.platforms,
            repeats=self.repeats,
            questions_about_brand=sorted(set(self.questions_about_brand)),
        )


def _reject_duplicates(spellings: Iterable[tuple[str, str, int]]) -> None:
    owners: dict[str, int] = {}
    for field, text, owner in spellings:
        if owners.setdefault(normalize_spelling(text), owner) != owner:
            raise PydanticCustomError("double", "given twice", {"field": field})


class PlatformOut(Schema):
    """A platform that can be chosen.

    cost_per_answer: the expected cost of one answer with its sentiment rating, null without a price. seconds_per_call:
    mean of its latest answers, null if unknown. filing_number: of the model at the regulator; empty if unknown.
    """

    id: str
    name: str
    model: str
    filing_number: str
    healthy: bool
    paused_until: datetime | None
    pause_reason: str
    price_per_call: Decimal
    cost_per_answer: Decimal | None
    typical_seconds: float
    seconds_per_call: float | None
    concurrency: int
    requests_per_minute: int
    demo: bool


class AcceptedOut(Schema):
    """A diagnosis that was accepted, which survives restarts, and the URLs of its events."""

    id: uuid.UUID
    status: str
    stream: uuid.UUID
    planned: int
    demo: bool
    events_url: str
    socket_url: str
    retry_of: uuid.UUID | None


class BrandOut(Schema):
    """A brand of a diagnosis. is_added: a competitor that was added after the diagnosis had ended."""

    name: str
    aliases: list[str]
    sites: list[str]
    is_own: bool
    is_added: bool


class QuestionOut(Schema):
    """A question of a diagnosis."""

    id: uuid.UUID
    text: str


class PlatformRef(Schema):
    """A platform of a diagnosis. obstacle: why it cannot be called now, localized; empty if it can.

    filing_number: of the model at the regulator; empty if unknown.
    """

    id: str
    name: str
    model: str
    filing_number: str
    demo: bool
    obstacle: str
    paused_until: datetime | None


class DiagnosisOut(Schema):
    """The current state of a diagnosis. error: a problem body, unless it runs or completed.

    estimated_cost: expected when it was ordered, null if a platform had no price. cost: of the calls made so far, with
    retries and sentiment rating, null if none was made. Both in yuan.
    """

    id: uuid.UUID
    status: str
    stage: str
    percent: int
    planned: int
    valid: int
    failed: int
    filtered: int
    carried_over: int
    brand: str
    repeats: int
    demo: bool
    stream: uuid.UUID
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: uuid.UUID | None
    schedule: uuid.UUID | None
    workspace: uuid.UUID | None
    estimated_cost: Decimal | None
    cost: Decimal | None
    revision: int = Field(description="number of corrections")
    report_pending: bool = Field(description="whether the report does not include the latest correction yet")
    error: dict[str, Any] | None


class DiagnosisDetailOut(DiagnosisOut):
    """A diagnosis with its brands, questions and platforms. eta_s: estimated seconds left, null while unknown.

    retry_blocked: why no failed answer can be asked for again now, localized; empty if one can, or none failed.
    """

    eta_s: int | None
    retry_blocked: str
    brands: list[BrandOut]
    questions: list[QuestionOut]
    platforms: list[PlatformRef]


class DiagnosisPage(Schema):
    """A page of diagnoses. next: the cursor of the next page; null on the last one."""

    items: list[DiagnosisOut]
    next: str | None


class AnswerOut(AnswerFactsOut):
    """An answer. error: a problem body in the caller's language if the call failed."""

    error: dict[str, Any] | None


class AnswerPage(Schema):
    """A page of answers. next: the cursor of the next page; null on the last one."""

    items: list[AnswerOut]
    next: str | None


class AnswerSummaryOut(Schema):
    """An answer without its text. mentioned: the brands that it names; uncertain: those that it may name."""

    id: uuid.UUID
    question: uuid.UUID
    platform: str
    repeat: int
    state: str
    truncated: bool
    without_search: bool
    carried_over: bool
    ms: int | None
    mentioned: list[str]
    uncertain: list[str]
    error: dict[str, Any] | None


class CompetitorIn(Schema):
    """Another brand to look for in the stored answers."""

    name: NameText


class HitIn(Schema):
    """A mention to confirm or reject, with the brand and offsets from `mentions` of the answer."""

    kind: Literal["confirm", "reject"]
    answer: uuid.UUID
    brand: NameText
    start: int = Field(ge=0, le=1_000_000)
    end: int = Field(ge=1, le=1_000_000)


class AliasIn(Schema):
    """Another spelling to add to a brand of the diagnosis."""

    kind: Literal["alias"]
    brand: NameText
    alias: NameText


CorrectionIn = Annotated[HitIn | AliasIn, Field(discriminator="kind")]


class CorrectionOut(Schema):
    """A correction. answer, start, end: of a confirmed or rejected mention; alias: of an added alias."""

    id: uuid.UUID
    kind: Literal["confirm", "reject", "alias"]
    brand: str
    answer: uuid.UUID | None
    start: int | None
    end: int | None
    alias: str
    created_at: datetime


class SuggestedBrand(Schema):
    """A competitor with its other spellings."""

    name: str
    aliases: list[str]


class DayOut(Schema):
    """The diagnoses started on a day. ended_well: those that completed, also partially."""

    day: date
    started: int
    ended_well: int


class StatisticsOut(Schema):
    """Counts over the caller's diagnoses of real platforms, at most a minute old; for staff over those of all users."""

    as_of: datetime
    diagnoses: int
    running: int
    by_status: dict[str, int]
    answers: int
    valid_answers: int
    by_platform: dict[str, dict[str, int]]
    by_day: list[DayOut]
