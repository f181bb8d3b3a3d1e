"""The same order twice within seconds."""

from django.db.models.expressions import RawSQL

from diagnosis.models import DiagnosisQuerySet, LegacyRecord
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair

MAX_DUPLICATE_GAP_SECONDS = 10

# In each chain of equal orders of one owner, all but the one with the most valid answers. Orders that carry an
# idempotency key of their own were meant as two; what was retried, or is a retry, is left as it is.
_DUPLICATES_SQL = """
    WITH orders AS (
        SELECT id, owner_id, request_hash, created_at, valid, idempotency_key,
            CASE WHEN created_at - lag(created_at) OVER chain <= %s * interval '1 second' THEN 0 ELSE 1 END AS begins
        FROM diagnosis_diagnosis d
        WHERE request_hash <> '' AND retry_of_id IS NULL AND status NOT IN ('queued', 'asking', 'analysing')
            AND NOT EXISTS (SELECT 1 FROM diagnosis_diagnosis retry WHERE retry.retry_of_id = d.id)
        WINDOW chain AS (PARTITION BY owner_id, request_hash ORDER BY created_at, id)
    ), chains AS (
        SELECT *, sum(begins) OVER (PARTITION BY owner_id, request_hash ORDER BY created_at, id) AS number FROM orders
    ), ranked AS (
        SELECT id, idempotency_key, row_number() OVER (
            PARTITION BY owner_id, request_hash, number ORDER BY valid DESC, created_at, id) AS place
        FROM chains
    )
    SELECT id FROM ranked WHERE place > 1 AND idempotency_key IS NULL
"""


class DuplicateDiagnosis(DiagnosisDefect):
    """A double tap, which the origin took for two orders."""

    name = "duplicate"
    description = f"the same order of the same user again within {MAX_DUPLICATE_GAP_SECONDS} s"
    fix_description = "the one with the most valid answers stays; the journal keeps every row of the others"

    def find_affected(self) -> DiagnosisQuerySet:
        """All of a chain but the best."""
        return get_repairable_diagnoses().filter(pk__in=RawSQL(_DUPLICATES_SQL, [MAX_DUPLICATE_GAP_SECONDS]))

    def fix(self, repair: DiagnosisRepair) -> None:
        """Remove it with everything that is its own."""
        if repair.legacy:
            repair.changes.set(repair.legacy, diagnosis_id=None, state=LegacyRecord.State.MERGED)
        repair.changes.delete(repair.diagnosis)
        repair.changes.delete(repair.diagnosis.stream)
