"""Samples are kept for some days: the charts go back a week."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from monitoring.models import Process, Sample


@dataclass(frozen=True)
class PruneResult:
    """What is gone, or would be."""

    samples: int
    processes: int


def prune_samples(*, older_than: timedelta, batch_size: int = 20_000) -> PruneResult:
    """Delete samples that are older, some at a time, and the processes that have none left and are not heard of."""
    cutoff = timezone.now() - older_than
    samples = 0
    while True:
        # Each on its own: a delete of millions would hold its locks, and the table's dead rows, for minutes.
        oldest = Sample.objects.filter(bucket__lt=cutoff).order_by("bucket").values("pk")[:batch_size]
        deleted = Sample.objects.filter(pk__in=oldest)._raw_delete(using="default")
        samples += deleted
        if deleted < batch_size:
            break
    processes, _ = Process.objects.filter(seen_at__lt=cutoff, samples=None).delete()
    return PruneResult(samples, processes)


def count_prunable(*, older_than: timedelta) -> PruneResult:
    """What `prune_samples` would delete now."""
    cutoff = timezone.now() - older_than
    processes = Process.objects.filter(seen_at__lt=cutoff).exclude(samples__bucket__gte=cutoff)
    return PruneResult(Sample.objects.filter(bucket__lt=cutoff).count(), processes.count())
