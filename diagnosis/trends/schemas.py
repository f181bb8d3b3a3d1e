"""Schemas of trends and comparisons. Rates are 0 to 1, differences -1 to 1; null is unknown, never 0."""

import uuid
from datetime import datetime
from typing import Literal

from ninja import Field, Schema


class RateOut(Schema):
    """A brand's mention rate over all valid answers of a diagnosis; low, high: Wilson's 95 % interval."""

    name: str
    is_own: bool
    mentions: int
    valid: int
    rate: float | None
    low: float | None
    high: float | None


class PointOut(Schema):
    """A diagnosis that has ended, with the rate of each brand."""

    id: uuid.UUID
    brand: str
    status: str
    demo: bool
    schedule: uuid.UUID | None
    repeats: int
    planned: int
    valid: int
    created_at: datetime
    finished_at: datetime | None
    brands: list[RateOut]


class ChangeOut(Schema):
    """A brand's rates on the cells (question x platform) with valid answers in both diagnoses, and their difference.

    changed: "none" when the interval of the difference, low to high, includes 0. counted_differently: aliases,
    corrections or judging of the brand, or versions of the matcher, differ, so the difference shows no change;
    `changed` is then "none".
    measured_differently: a platform was asked in another way, which `breaks` names; `changed` is then "none" too.
    """

    name: str
    is_own: bool
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    changed: Literal["up", "down", "none"]
    counted_differently: bool
    measured_differently: bool
    cells: int
    questions: int
    valid_before: int
    valid_after: int


SurfaceText = Literal["memory", "search", "app"]


class BreakOut(Schema):
    """A platform that was asked in another way in the later diagnosis: what differs, before and after."""

    platform: str
    name: str
    what: Literal["surface", "protocol", "requested_model", "model", "parameters"]
    before: list[str]
    after: list[str]


class StepOut(Schema):
    """The changes from one diagnosis to the next."""

    before: uuid.UUID
    after: uuid.UUID
    brands: list[ChangeOut]
    breaks: list[BreakOut]


class TrendOut(Schema):
    """The diagnoses of a panel, oldest first, and the changes between consecutive ones."""

    diagnosis: uuid.UUID
    brand: str
    confidence: float
    surface: SurfaceText = Field(description="what all rates measure; surfaces are never pooled")
    surfaces: list[SurfaceText] = Field(description="those that the diagnoses have")
    has_more: bool = Field(description="whether older diagnoses are omitted")
    points: list[PointOut]
    changes: list[StepOut]


class PartsOut(Schema):
    """Questions, brands, and ids of platforms with valid answers."""

    questions: list[str]
    platforms: list[str]
    brands: list[str]


class CommonOut(PartsOut):
    """The part that both diagnoses share."""

    cells: int = Field(description="question x platform with valid answers in both")


class CountOut(Schema):
    """The answers that name the own brand, of the valid ones."""

    mentions: int
    valid: int


class CellCountsOut(Schema):
    """A question on a platform, or all common questions on it, in both diagnoses."""

    platform: str
    before: CountOut
    after: CountOut


class PlatformCountsOut(CellCountsOut):
    """A platform with its name."""

    name: str


class QuestionCountsOut(Schema):
    """A question that both asked: its id in each, and its platforms, those that differ most first."""

    text: str
    before: uuid.UUID
    after: uuid.UUID
    cells: list[CellCountsOut]


class ComparisonOut(Schema):
    """Two diagnoses side by side; changes: of the brands that both include.

    platforms, questions: the own brand in the cells with valid answers in both; what differs most comes first.
    """

    confidence: float
    surface: SurfaceText = Field(description="what all rates measure; surfaces are never pooled")
    surfaces: list[SurfaceText] = Field(description="those that the two diagnoses have")
    breaks: list[BreakOut]
    before: PointOut
    after: PointOut
    common: CommonOut
    only_before: PartsOut
    only_after: PartsOut
    changes: list[ChangeOut]
    platforms: list[PlatformCountsOut]
    questions: list[QuestionCountsOut]
