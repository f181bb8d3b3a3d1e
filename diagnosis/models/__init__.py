"""All tables of the app."""

from diagnosis.models.access import build_access_filter, can_view_all_diagnoses, find_workspace_ids
from diagnosis.models.actions import Action, FindingKind, SourceClass
from diagnosis.models.corrections import Correction
from diagnosis.models.diagnoses import Answer, Brand, Diagnosis, DiagnosisQuerySet, Question
from diagnosis.models.digests import Digest, DigestIssue
from diagnosis.models.names import NameCandidate, NamesChange, NameSighting, Spelling, TrackedBrand
from diagnosis.models.platforms import PLATFORMS_CACHE_TAG, Platform, PlatformQuerySet
from diagnosis.models.questions import Panel, PanelQuestion, PanelVersion, Tag, TrackedQuestion
from diagnosis.models.repair import LegacyRecord, RepairChange, RepairRun
from diagnosis.models.schedules import Frequency, Schedule, ScheduleQuerySet, SkipReason
from diagnosis.models.share_links import OverviewLink, ShareLink, ShareLinkQuerySet
from diagnosis.models.sources import PartialReply, RawReply, SearchQuery, SiteClass, Source
from diagnosis.models.spending import AccountBudget, BudgetUse, DailySpending, PaidCall
from diagnosis.models.workspaces import MAX_NAME_KEY_LENGTH, Invitation, Member, RunFigure, RunSummary, Workspace

__all__ = [
    "MAX_NAME_KEY_LENGTH",
    "PLATFORMS_CACHE_TAG",
    "AccountBudget",
    "Action",
    "Answer",
    "Brand",
    "BudgetUse",
    "Correction",
    "DailySpending",
    "Diagnosis",
    "DiagnosisQuerySet",
    "Digest",
    "DigestIssue",
    "FindingKind",
    "Frequency",
    "Invitation",
    "LegacyRecord",
    "Member",
    "NameCandidate",
    "NameSighting",
    "NamesChange",
    "OverviewLink",
    "PaidCall",
    "Panel",
    "PanelQuestion",
    "PanelVersion",
    "PartialReply",
    "Platform",
    "PlatformQuerySet",
    "Question",
    "RawReply",
    "RepairChange",
    "RepairRun",
    "RunFigure",
    "RunSummary",
    "Schedule",
    "ScheduleQuerySet",
    "SearchQuery",
    "ShareLink",
    "ShareLinkQuerySet",
    "SiteClass",
    "SkipReason",
    "Source",
    "SourceClass",
    "Spelling",
    "Tag",
    "TrackedBrand",
    "TrackedQuestion",
    "Workspace",
    "build_access_filter",
    "can_view_all_diagnoses",
    "find_workspace_ids",
]
