"""Store findings as actions, list them, and change what members decide about them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.models import Action, Diagnosis, FindingKind, Member, RunSummary, Schedule, Workspace
from diagnosis.workspaces.action_rules import (
    MAX_EVIDENCE_ANSWERS,
    RULE_VERSION,
    Finding,
    RunEvidence,
    find_findings,
)
from errors.exceptions import InvalidInput, NotFound

MAX_LISTED_ACTIONS = 100
UNDECIDED_STATES = (Action.State.OPEN, Action.State.TAKEN)


def record_actions(diagnosis: Diagnosis, summary: RunSummary) -> None:
    """Store what the rules find in an ended run. A finding that was done is open again, a dismissed one stays so."""
    if diagnosis.workspace is None:
        return
    for finding in find_findings(RunEvidence(diagnosis, summary)):
        _record(diagnosis.workspace, finding, diagnosis)


def record_skipped_run(schedule: Schedule) -> None:
    """Store that a schedule has skipped a run; called in the transaction that skips it."""
    if schedule.workspace:
        details = {"schedule": str(schedule.pk), "reason": schedule.skip_reason}
        _record(schedule.workspace, Finding(FindingKind.SKIPPED_RUN, str(schedule.pk), [], details), None)


def _record(workspace: Workspace, finding: Finding, diagnosis: Diagnosis | None) -> None:
    evidence = {
        **finding.details,
        "count": len(finding.answers),
        "answers": [str(pk) for pk in finding.answers[:MAX_EVIDENCE_ANSWERS]],
        "panel": diagnosis.panel if diagnosis else "",
    }
    seen = {"evidence": evidence, "rule_version": RULE_VERSION, "seen_in": diagnosis, "seen_at": timezone.now()}
    with transaction.atomic():
        rows = Action.objects.select_for_update().filter(workspace=workspace, kind=finding.kind)
        action = rows.filter(subject=finding.subject).first()
        if action is None:
            Action.objects.update_or_create(
                workspace=workspace, kind=finding.kind, subject=finding.subject, defaults=seen
            )
            return
        for name, value in seen.items():
            setattr(action, name, value)
        if action.state == Action.State.DONE:
            action.state, action.reopened_at = Action.State.OPEN, timezone.now()
        action.save()


def list_actions(workspace: Workspace, states: Sequence[str] = UNDECIDED_STATES) -> list[Action]:
    """Return the actions in these states, those seen last first."""
    rows = Action.objects.filter(workspace=workspace, state__in=states).select_related("assignee")
    return list(rows[:MAX_LISTED_ACTIONS])


def find_latest_runs(workspace: Workspace) -> dict[str, UUID]:
    """Return the last ended run with answers by panel."""
    ended = workspace.diagnoses.filter(summary__isnull=False, valid__gt=0).order_by("panel", "-created_at")
    return dict(ended.distinct("panel").values_list("panel", "pk"))


def serialize_actions(actions: Iterable[Action], latest_runs: Mapping[str, UUID]) -> list[dict[str, Any]]:
    """Serialize actions. latest_runs: by panel, which tells whether a finding was seen in the last one."""
    columns = ("id", "kind", "subject", "state", "note", "created_at", "seen_at", "reopened_at", "rule_version")
    items = []
    for action in actions:
        evidence = dict(action.evidence)
        latest = latest_runs.get(evidence.pop("panel", ""))
        items.append(
            {name: getattr(action, name) for name in columns}
            | {
                "answers": evidence.pop("answers", []),
                "count": evidence.pop("count", 0),
                "details": evidence,
                "diagnosis": action.seen_in_id,
                "seen_in_last_run": latest == action.seen_in_id if latest else None,
                "assignee": action.assignee.get_full_name() or action.assignee.get_username()
                if action.assignee
                else None,
            }
        )
    return items


def find_action(workspace: Workspace, action_id: UUID) -> Action:
    """Return an action of the workspace. Raises NotFound."""
    action = Action.objects.filter(workspace=workspace, pk=action_id).select_related("assignee").first()
    if action is None:
        raise NotFound
    return action


def change_action(action: Action, *, state: str | None, assignee: UUID | None, note: str | None) -> Action:
    """Change what is given. assignee: the id of a member. Raises InvalidInput if there is no such member."""
    if assignee is not None:
        member = Member.objects.filter(workspace=action.workspace_id, pk=assignee).first()
        if member is None:
            raise InvalidInput(fields={"assignee": _("工作区里没有这个成员。")})
        action.assignee_id = member.user_id
    action.state = state or action.state
    action.note = action.note if note is None else note
    action.save(update_fields=["assignee", "state", "note"])
    return action
