"""Every defect, in the order of repair: what a later one reads has been put right by an earlier one."""

from diagnosis.history.defects.base import Defect
from diagnosis.history.defects.blanks import MissingOrigin
from diagnosis.history.defects.competitors import LostCompetitors
from diagnosis.history.defects.counts import WrongCounts
from diagnosis.history.defects.duplicates import DuplicateDiagnosis
from diagnosis.history.defects.endings import EndedWithPendingAnswers, RunningWithAllAnswers, RunningPastDeadline
from diagnosis.history.defects.orphans import OrphanAnswers
from diagnosis.history.defects.reports import NonBooleanFlags, EmptyReport, MissingReport
from diagnosis.history.defects.times import MixedTimezones

DEFECTS: list[Defect] = [
    RunningWithAllAnswers(),
    RunningPastDeadline(),
    LostCompetitors(),
    MissingOrigin(),
    MixedTimezones(),
    NonBooleanFlags(),
    EndedWithPendingAnswers(),
    EmptyReport(),
    MissingReport(),
    WrongCounts(),
    DuplicateDiagnosis(),
    OrphanAnswers(),
]
