"""Answers whose diagnosis is gone. Our own tables cannot hold them: they come from an import."""

from collections.abc import Iterable

from django.db.models import QuerySet

from diagnosis.models import LegacyRecord
from diagnosis.repair.change_journal import ChangeSet
from diagnosis.repair.defects.base import Defect


class OrphanAnswers(Defect):
    """The origin deleted diagnoses and left their answers."""

    name = "orphan_answers"
    description = "an imported answer whose diagnosis is gone: nobody owns it, no report counts it"
    fix_description = "it is set aside in the imported records, where operators can read it"

    def find_affected(self) -> QuerySet[LegacyRecord]:
        """Not set aside yet."""
        return LegacyRecord.objects.filter(state=LegacyRecord.State.ORPHAN)

    def fix_batch(self, keys: Iterable[int]) -> tuple[int, ChangeSet]:
        """Set them aside."""
        changes = ChangeSet()
        records = list(self.find_affected().filter(pk__in=list(keys)).select_for_update(skip_locked=True))
        for record in records:
            changes.set(record, state=LegacyRecord.State.SET_ASIDE)
        return len(records), changes

    def describe(self, row: LegacyRecord) -> str:
        """Where it came from."""
        return f"{row} {row.problem}"
