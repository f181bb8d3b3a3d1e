"""Requests that were submitted twice within seconds."""

from django.db.models.expressions import RawSQL

from diagnosis.models import DiagnosisQuerySet, LegacyRecord
from diagnosis.repair.defects.base import DiagnosisDefect, get_repairable_diagnoses
from diagnosis.repair.diagnosis_repair import DiagnosisRepair
from errors.terminal import gettext_lazy

MAX_DUPLICATE_GAP_SECONDS = 10

# In each chain of equal requests of an owner, all except the one with the most valid answers. Requests with an
# idempotency key were intended; retries and retried diagnoses are excluded.
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
    """A double tap, which the source system took for two requests."""

    name = "duplicate"
    description = gettext_lazy("同一用户在 %(seconds)d 秒内提交的相同请求", seconds=MAX_DUPLICATE_GAP_SECONDS)
    fix_description = gettext_lazy("保留有效回答最多的一个，其余的所有行存入修复记录")

    def find_affected(self) -> DiagnosisQuerySet:
        return get_repairable_diagnoses().filter(pk__in=RawSQL(_DUPLICATES_SQL, [MAX_DUPLICATE_GAP_SECONDS]))

    def fix(self, repair: DiagnosisRepair) -> None:
        if repair.legacy:
            repair.changes.set(repair.legacy, diagnosis_id=None, state=LegacyRecord.State.MERGED)
        repair.changes.delete(repair.diagnosis)
        repair.changes.delete(repair.diagnosis.stream)
