"""Bodies of the HTTP API of workspaces. Rates are 0 to 1; null is unknown or not available, never 0."""

import uuid
from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema

from diagnosis.trends.schemas import BreakOut, ChangeOut, SurfaceText

RoleText = Literal["viewer", "editor", "owner"]


class WorkspaceOut(Schema):
    """A workspace with the caller's role. names_version: increases when names or spellings are applied."""

    id: uuid.UUID
    name: str
    demo: bool
    role: RoleText
    names_version: int
    created_at: datetime


class WorkspaceListItem(WorkspaceOut):
    """runs: ended diagnoses with answers; last_run_at: the start of the latest diagnosis."""

    runs: int
    last_run_at: datetime | None


class DeletedWorkspaceOut(Schema):
    """A workspace of which the caller is an owner and that is being deleted; until purged_at it can be undone."""

    id: uuid.UUID
    name: str
    demo: bool
    deleted_at: datetime
    purged_at: datetime


class WorkspaceList(Schema):
    """The caller's workspaces, that with the latest diagnosis first. most: how many a person may create."""

    items: list[WorkspaceListItem]
    deleted: list[DeletedWorkspaceOut]
    most: int


class PanelRef(Schema):
    """A set of questions and platforms that was asked, the latest first. key: for `panel`."""

    key: str
    name: str = Field(description="of a panel of the workspace; empty for an order that used none")
    runs: int
    running: int
    last_run_at: datetime


class FigureOut(Schema):
    """A brand in k of n valid answers, with Wilson's 95 % interval."""

    name: str
    is_own: bool
    k: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


class TileOut(Schema):
    """A figure of the own brand. previous: its value in the previous run.

    changed: null where no test of a change exists; k, n: null where it was not measured.
    """

    name: Literal["mention_rate", "first_mention_rate", "share_of_voice", "recommendation_rate", "own_site_rate"]
    k: int | None
    n: int | None
    value: float | None
    low: float | None
    high: float | None
    previous: float | None
    changed: Literal["up", "down", "none"] | None


class HeadlineOut(Schema):
    """What the latest run says, of one surface.

    kind: "empty" without a run, "first" with one; "not_comparable" if nothing was asked in both runs in the same way;
    "changed" if the interval of a brand's difference, corrected for their number, excludes 0. changes: those brands.
    """

    kind: Literal["empty", "first", "not_comparable", "unchanged", "changed"]
    surface: SurfaceText | None
    since: datetime | None
    changes: list[ChangeOut]
    breaks: list[BreakOut]


class RunRef(Schema):
    """A diagnosis with its counts. is_partial: whether answers are missing."""

    id: uuid.UUID
    status: str
    created_at: datetime
    planned: int
    valid: int
    is_partial: bool


class TrendPointOut(RunRef):
    """A run with the own brand and up to four rivals. The line breaks before it if `breaks` is not empty."""

    brands: list[FigureOut]
    breaks: list[BreakOut]


class PlatformFigureOut(Schema):
    """The own brand on a platform in the latest run. previous: the rate of the previous run."""

    id: str
    name: str
    surface: SurfaceText
    models: list[str]
    k: int
    n: int
    rate: float | None
    low: float | None
    high: float | None
    previous: float | None


class LostQuestionOut(Schema):
    """A question of the latest run where competitors stand in more answers than the own brand."""

    question: uuid.UUID
    text: str
    planned: int
    valid: int
    mentions: int
    winners: list[str]
    winners_mentions: int


class NextRunOut(Schema):
    """A schedule of the workspace, the next one first; zone: in which `next_at` is to be shown."""

    id: uuid.UUID
    next_at: datetime
    zone: str
    is_paused: bool
    skipped_at: datetime | None
    skip_reason: str


ActionStateText = Literal["open", "taken", "done", "dismissed"]


class ActionOut(Schema):
    """A finding of a rule. count: of the answers behind it, of which `answers` has the first fifty.

    details: further numbers and texts, by kind. seen_in_last_run: null if it does not depend on a run; a finding is
    never closed by itself. reopened_at: when it was seen again after it was done.
    """

    id: uuid.UUID
    kind: Literal["drop", "lost_question", "weak_platform", "source_gap", "blame", "new_rival", "skipped_run"]
    subject: str
    state: ActionStateText
    count: int
    answers: list[uuid.UUID]
    details: dict[str, Any]
    diagnosis: uuid.UUID | None
    seen_in_last_run: bool | None
    assignee: str | None
    assignee_member: uuid.UUID | None = Field(description="the id of the assignee as a member")
    note: str
    created_at: datetime
    seen_at: datetime
    reopened_at: datetime | None
    rule_version: int


class RecountProgressOut(Schema):
    """How many of the ended runs count by the newest version of the workspace's names; others have their own."""

    done: int
    total: int


class OverviewOut(Schema):
    """The page of a workspace, for one panel and one surface, read from stored figures."""

    workspace: WorkspaceOut
    panel: str = Field(description="the shown one of `panels`; empty without any")
    panels: list[PanelRef]
    surface: SurfaceText | None
    surfaces: list[SurfaceText]
    running: int = Field(description="diagnoses of the workspace that have not ended")
    recount: RecountProgressOut
    headline: HeadlineOut
    latest: RunRef | None
    tiles: list[TileOut]
    trend: list[TrendPointOut]
    platforms: list[PlatformFigureOut]
    lost: list[LostQuestionOut]
    actions: list[ActionOut] = Field(description="five that are open or taken, those seen last first")
    schedules: list[NextRunOut]


class RunOut(RunRef):
    """A diagnosis of the workspace. figure: of the own brand, null before the end; change: since the previous run."""

    finished_at: datetime | None
    by: str = Field(description="the name of the member who started it")
    brand: str
    schedule: uuid.UUID | None
    panel: str
    panel_name: str = Field(description="of a panel of the workspace; empty for an order that used none")
    panel_version: int | None
    surface: SurfaceText | None
    figure: FigureOut | None
    change: ChangeOut | None
    models: dict[str, list[str]]


class RunPage(Schema):
    """A page of runs, newest first. next: the cursor of the next page; null on the last one."""

    items: list[RunOut]
    next: str | None
