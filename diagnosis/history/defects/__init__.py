"""Every defect, in the order of repair: what a later one reads has been put right by an earlier one."""

from diagnosis.history.defects.base import Defect
from diagnosis.history.defects.blanks import BlankOrigin
from diagnosis.history.defects.competitors import CompetitorsLost
from diagnosis.history.defects.counts import CountsWrong
from diagnosis.history.defects.duplicates import Duplicate
from diagnosis.history.defects.endings import EndedIncomplete, RunningComplete, RunningForever
from diagnosis.history.defects.orphans import OrphanAnswers
from diagnosis.history.defects.reports import BooleansAsText, ReportEmpty, ReportMissing
from diagnosis.history.defects.times import TimesMixed

DEFECTS: list[Defect] = [
    RunningComplete(),
    RunningForever(),
    CompetitorsLost(),
    BlankOrigin(),
    TimesMixed(),
    BooleansAsText(),
    EndedIncomplete(),
    ReportEmpty(),
    ReportMissing(),
    CountsWrong(),
    Duplicate(),
    OrphanAnswers(),
]
