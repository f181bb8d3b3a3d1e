"""All tables of the app."""

from diagnosis.models.corrections import Correction
from diagnosis.models.diagnoses import Answer, Brand, Diagnosis, DiagnosisQuerySet, Question, can_view_all_diagnoses
from diagnosis.models.platforms import PLATFORMS_CACHE_TAG, Platform, PlatformQuerySet
from diagnosis.models.repair import LegacyRecord, RepairChange, RepairRun
from diagnosis.models.schedules import Frequency, Schedule, ScheduleQuerySet, SkipReason
from diagnosis.models.share_links import ShareLink, ShareLinkQuerySet
from diagnosis.models.sources import PartialReply, RawReply, SearchQuery, SiteClass, Source
from diagnosis.models.spending import AccountBudget, BudgetUse, DailySpending, PaidCall

__all__ = [
    "PLATFORMS_CACHE_TAG",
    "AccountBudget",
    "Answer",
    "Brand",
    "BudgetUse",
    "Correction",
    "DailySpending",
    "Diagnosis",
    "DiagnosisQuerySet",
    "Frequency",
    "LegacyRecord",
    "PaidCall",
    "PartialReply",
    "Platform",
    "PlatformQuerySet",
    "Question",
    "RawReply",
    "RepairChange",
    "RepairRun",
    "Schedule",
    "ScheduleQuerySet",
    "SearchQuery",
    "ShareLink",
    "ShareLinkQuerySet",
    "SiteClass",
    "SkipReason",
    "Source",
    "can_view_all_diagnoses",
]
