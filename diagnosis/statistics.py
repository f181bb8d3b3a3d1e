"""What is counted in rows, for the operators."""

from django.db.models import Count

from diagnosis.choices import Status
from diagnosis.models import Diagnosis

RUNNING = [Status.ASKING, Status.ANALYSING]


def count_running() -> dict[tuple[str, ...], float]:
    """Diagnoses that run now, by whether they are demos."""
    running = Diagnosis.objects.filter(status__in=RUNNING).order_by().values_list("is_demo")
    counts = dict(running.annotate(count=Count("pk")))
    return {(str(is_demo).lower(),): counts.get(is_demo, 0) for is_demo in (False, True)}
