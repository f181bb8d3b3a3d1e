"""Delete the rows of workspaces whose deletion was requested long enough ago."""

from collections import Counter
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from diagnosis.choices import BudgetScope
from diagnosis.models import BudgetUse, Diagnosis, Schedule, Workspace
from diagnosis.reports.cache import delete_cached_reports
from diagsite.accounts.deletion import delete_diagnosis_rows


def find_purgeable(cutoff: datetime) -> QuerySet[Workspace]:
    """Return the workspaces whose deletion was requested before."""
    return Workspace.objects.filter(deleted_at__lt=cutoff)


def purge_next_workspace(cutoff: datetime) -> int:
    """Delete one workspace with its diagnoses, streams, budgets and cached reports; returns whether there was one."""
    with transaction.atomic():
        workspace = find_purgeable(cutoff).select_for_update(skip_locked=True).order_by("deleted_at").first()
        if workspace is None:
            return 0
        diagnoses = Diagnosis.objects.filter(workspace=workspace)
        ids = list(diagnoses.values_list("pk", flat=True))
        streams = list(diagnoses.values_list("stream_id", flat=True))
        schedules = [str(pk) for pk in Schedule.objects.filter(workspace=workspace).values_list("pk", flat=True)]
        BudgetUse.objects.filter(scope=BudgetScope.SCHEDULE, key__in=schedules).delete()
        BudgetUse.objects.filter(scope=BudgetScope.WORKSPACE, key=str(workspace.pk)).delete()
        delete_diagnosis_rows(ids, streams, Counter())
        workspace.delete()
    for pk in ids:
        delete_cached_reports(pk)
    return 1
