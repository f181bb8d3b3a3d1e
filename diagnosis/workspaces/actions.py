"""Store findings as actions, list them, and change what members decide about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext as _

from diagnosis.models import Action, Answer, Diagnosis, FindingKind, Member, RunSummary, Schedule, Workspace
from diagnosis.workspaces.action_rules import (
    MAX_EVIDENCE_ANSWERS,
    RULE_VERSION,
    Finding,
    RunEvidence,
    find_findings,
)
from errors.exceptions import InvalidInput, NotFound

MAX_LISTED_ACTIONS = 100
EXCERPT_CHARACTERS = 140
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
    seen_at = (diagnosis and diagnosis.finished_at) or timezone.now()
    seen = {"evidence": evidence, "rule_version": RULE_VERSION, "seen_in": diagnosis, "seen_at": seen_at}
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
    """Return the actions in these states, those seen last first, and of one run in the order of the kinds."""
    rank = Case(*(When(kind=kind, then=position) for position, kind in enumerate(FindingKind)))
    actions = _select_actions(workspace).filter(state__in=states)
    return list(actions.order_by("-seen_at", rank, "pk")[:MAX_LISTED_ACTIONS])


def _select_actions(workspace: Workspace) -> QuerySet[Action]:
    """Return actions with their assignee and that one's membership."""
    member = Member.objects.filter(workspace=OuterRef("workspace"), user=OuterRef("assignee"))
    actions = Action.objects.filter(workspace=workspace).select_related("assignee")
    return actions.annotate(assignee_member=Subquery(member.values("pk")[:1]))


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
                "assignee_member": getattr(action, "assignee_member", None),
            }
        )
    return items


def find_action(workspace: Workspace, action_id: UUID) -> Action:
    """Return an action of the workspace. Raises NotFound."""
    action = _select_actions(workspace).filter(pk=action_id).first()
    if action is None:
        raise NotFound
    return action


@dataclass(frozen=True)
class ActionChange:
    """What to change; None leaves it. assignee: the id of a member."""

    state: str | None = None
    assignee: UUID | None = None
    note: str | None = None
    is_unassigned: bool = False


def change_action(action: Action, change: ActionChange) -> None:
    """Change state, assignee and note. Raises InvalidInput if there is no such member."""
    if change.assignee is not None:
        member = Member.objects.filter(workspace=action.workspace_id, pk=change.assignee).first()
        if member is None:
            raise InvalidInput(fields={"assignee": _("工作区里没有这个成员。")})
        action.assignee_id = member.user_id
    elif change.is_unassigned:
        action.assignee = None
    action.state = change.state or action.state
    action.note = action.note if change.note is None else change.note
    action.save(update_fields=["assignee", "state", "note"])


def list_evidence(action: Action) -> list[dict[str, Any]]:
    """Return the answers behind an action in the order of its evidence, without those that were deleted."""
    ids = [UUID(pk) for pk in action.evidence.get("answers", [])]
    answers = Answer.objects.filter(pk__in=ids, diagnosis__workspace=action.workspace_id).order_by()
    rows = answers.annotate(excerpt=Left("text", EXCERPT_CHARACTERS)).values(
        "pk", "diagnosis_id", "diagnosis__created_at", "question__text", "platform_id", "excerpt"
    )
    found = {row["pk"]: row for row in rows}
    return [
        {
            "answer": pk,
            "diagnosis": row["diagnosis_id"],
            "started_at": row["diagnosis__created_at"],
            "question": row["question__text"],
            "platform": row["platform_id"],
            "excerpt": row["excerpt"],
        }
        for pk in ids
        if (row := found.get(pk))
    ]
