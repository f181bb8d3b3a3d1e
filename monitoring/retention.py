"""Samples are kept for some days: the charts go back a week."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from monitoring.models import Process, Sample


@dataclass(frozen=True)
class Pruned:
    """What is gone, or would be."""

    samples: int
    processes: int


def prune_samples(*, older_than: timedelta, at_once: int = 20_000) -> Pruned:
    """Delete samples that are older, some at a time, and the processes that have none left and are not heard of."""
    before = timezone.now() - older_than
    samples = 0
    while True:
        # Each on its own: a delete of millions would hold its locks, and the table's dead rows, for minutes.
        oldest = Sample.objects.filter(bucket__lt=before).order_by("bucket").values("pk")[:at_once]
        deleted = Sample.objects.filter(pk__in=oldest)._raw_delete(using="default")
        samples += deleted
        if deleted < at_once:
            break
    processes, _ = Process.objects.filter(seen_at__lt=before, samples=None).delete()
    return Pruned(samples, processes)


def count_prunable(*, older_than: timedelta) -> Pruned:
    """What `prune_samples` would delete now."""
    before = timezone.now() - older_than
    processes = Process.objects.filter(seen_at__lt=before).exclude(samples__bucket__gte=before)
    return Pruned(Sample.objects.filter(bucket__lt=before).count(), processes.count())
