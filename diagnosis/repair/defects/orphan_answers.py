"""Imported answers without a diagnosis, which the tables of this site cannot hold."""

from collections.abc import Iterable

from django.db.models import QuerySet

from diagnosis.models import LegacyRecord
from diagnosis.repair.change_set import ChangeSet
from diagnosis.repair.defects.base import Defect
from errors.terminal import gettext_lazy


class OrphanAnswers(Defect):
    """The source system deleted diagnoses without their answers."""

    name = "orphan_answers"
    description = gettext_lazy("导入的回答没有对应的诊断：没有所有者，也不在任何报告中")
    fix_description = gettext_lazy("留在导入记录中另行存放，运营人员可以查阅")

    def find_affected(self) -> QuerySet[LegacyRecord]:
        return LegacyRecord.objects.filter(state=LegacyRecord.State.ORPHAN)

    def fix_batch(self, keys: Iterable[int]) -> tuple[int, ChangeSet]:
        changes = ChangeSet()
        records = list(self.find_affected().filter(pk__in=list(keys)).select_for_update(skip_locked=True))
        for record in records:
            changes.set(record, state=LegacyRecord.State.SET_ASIDE)
        return len(records), changes

    def describe(self, row: LegacyRecord) -> str:
        return f"{row} {row.problem}"
