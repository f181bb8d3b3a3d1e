"""All defects in the order of repair: later fixes rely on earlier ones."""

from diagnosis.repair.defects.base import Defect
from diagnosis.repair.defects.broken_reports import EmptyReport, MissingReport, NonBooleanFlags
from diagnosis.repair.defects.duplicates import DuplicateDiagnosis
from diagnosis.repair.defects.inconsistent_status import (
    EndedWithPendingAnswers,
    RunningPastDeadline,
    RunningWithAllAnswers,
)
from diagnosis.repair.defects.lost_competitors import LostCompetitors
from diagnosis.repair.defects.missing_origin import MissingOrigin
from diagnosis.repair.defects.mixed_timezones import MixedTimezones
from diagnosis.repair.defects.orphan_answers import OrphanAnswers
from diagnosis.repair.defects.wrong_counts import WrongCounts

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
