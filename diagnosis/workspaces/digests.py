"""Digests of a workspace: the overview of the window's last run against the last run before the window.

One for each member and window, which the database decides. A window without a run has none, unless a run was skipped.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from diagnosis.models import Diagnosis, Digest, DigestIssue, Schedule, Workspace
from diagnosis.reports.cache import serialize_json
from diagnosis.trends.service import compare_with_previous, find_previous
from diagnosis.workspaces.overview import build_overview, describe_changes

log = structlog.get_logger(__name__)

DIGEST_HOUR = time(8)
MAX_WAIT_FOR_RUNS = timedelta(hours=12)  # a run that began in the window may end after it
DIGEST_BATCH_SIZE = 200
_SHOWN = ("panel", "surface", "headline", "latest", "tiles", "lost", "actions")


def get_last_window(every: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the last complete week, from Monday at eight in the site's time zone, or month, from its first day."""
    zone = timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    first = today - timedelta(days=today.weekday()) if every == Digest.Every.WEEKLY else today.replace(day=1)
    if datetime.combine(first, DIGEST_HOUR, zone) > now:
        first = _get_previous_start(every, first)
    start = _get_previous_start(every, first)
    begin, end = (datetime.combine(day, DIGEST_HOUR, zone).astimezone(UTC) for day in (start, first))
    return begin, end


def _get_previous_start(every: str, day: date) -> date:
    return day - timedelta(days=7) if every == Digest.Every.WEEKLY else (day - timedelta(days=1)).replace(day=1)


def create_due_issues(now: datetime | None = None) -> int:
    """Create the digests of complete windows; returns how many have content."""
    now = now or timezone.now()
    created = 0
    for every in Digest.Every.values:
        start, end = get_last_window(every, now)
        due = Digest.objects.filter(
            ~Q(issues__window_end=end), every=every, created_at__lt=end, member__workspace__deleted_at=None
        ).select_related("member__workspace")
        for digest in list(due[:DIGEST_BATCH_SIZE]):
            try:
                created += _create_issue(digest, start, end, now)
            except (OperationalError, InterfaceError):
                raise  # the database is unavailable
            except Exception:  # must not keep the others from being created
                log.exception("digest_failed", digest=str(digest.pk))
    return created


def _create_issue(digest: Digest, start: datetime, end: datetime, now: datetime) -> bool:
    workspace = digest.member.workspace
    runs = Diagnosis.objects.filter(workspace=workspace, created_at__gte=start, created_at__lt=end)
    if now < end + MAX_WAIT_FOR_RUNS and runs.unfinished().exists():
        return False
    content = build_digest(workspace, start, end)
    state = DigestIssue.State.EMPTY
    if content:
        is_mail = digest.channel == Digest.Channel.EMAIL
        state = DigestIssue.State.WAITING if is_mail else DigestIssue.State.ON_PAGE
    with transaction.atomic():
        _issue, is_new = DigestIssue.objects.get_or_create(
            digest=digest,
            window_end=end,
            defaults={"window_start": start, "content": content, "state": state, "due_at": now},
        )
    return is_new and content is not None


def build_digest(workspace: Workspace, start: datetime, end: datetime) -> dict[str, Any] | None:
    """Return the digest of a window, as JSON allows it; None if nothing ran and nothing was skipped."""
    skipped = Schedule.objects.filter(workspace=workspace, skipped_at__gte=start, skipped_at__lt=end)
    rows = [{"schedule": str(row.pk), "reason": row.skip_reason} for row in skipped]
    runs = Diagnosis.objects.filter(workspace=workspace, created_at__gte=start, created_at__lt=end)
    latest = runs.filter(summary__isnull=False).ended_with_answers().defer("report").first()
    if latest is None:
        return {"overview": None, "skipped": rows} if rows else None
    panel = str(latest.panel_version.panel_id) if latest.panel_version else latest.panel
    overview = {name: value for name, value in build_overview(workspace, panel).items() if name in _SHOWN}
    if overview["latest"]["id"] == latest.pk:
        overview["headline"] = _compare_with_window_before(latest, start) or overview["headline"]
    return {"overview": json.loads(serialize_json(overview)), "skipped": rows}


def _compare_with_window_before(latest: Diagnosis, start: datetime) -> dict[str, Any] | None:
    """Return the headline against the last run before the window; None if that is the run before anyway.

    One comparison for a window, however many runs it has: its error rate stays that of one.
    """
    previous = find_previous(latest)
    if previous is None or previous.created_at < start:
        return None
    baseline = find_previous(latest, before=start)
    if baseline is None:
        return None
    comparison = describe_changes(*compare_with_previous(latest, baseline))
    return {"surface": latest.summary.surface, "since": baseline.created_at, **comparison}
