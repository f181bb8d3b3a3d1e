"""Names that answers mention and that a workspace does not track: found with each run, decided by editors.

They count in no figure until they are accepted as a brand or merged into one.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from diagnosis.choices import AnswerState
from diagnosis.models import Answer, Diagnosis, NameCandidate, NameSighting, Spelling, Workspace
from diagnosis.workspaces.names import BrandNames, build_spelling_key, load_names
from diagnosis.workspaces.names_edit import apply_names
from errors.exceptions import Conflict, InvalidInput, NotFound

MAX_CANDIDATES = 500
MAX_NAME_CHARACTERS = 100
QUOTE_CONTEXT_CHARACTERS = 60


def record_candidates(diagnosis: Diagnosis) -> None:
    """Store the untracked names of an ended diagnosis with the answers that mention them. Repeating adds nothing."""
    if diagnosis.workspace_id is None:
        return
    sightings = list(_iter_sightings(diagnosis))
    known = dict(NameCandidate.objects.filter(workspace=diagnosis.workspace_id).values_list("key", "pk"))
    room = MAX_CANDIDATES - len(known)
    new: dict[str, NameCandidate] = {}
    for name, is_guess, _answer in sightings:
        key = build_spelling_key(name)
        if key not in known and key not in new and len(new) < room:
            new[key] = NameCandidate(workspace_id=diagnosis.workspace_id, name=name, key=key, is_guess=is_guess)
    NameCandidate.objects.bulk_create(new.values(), ignore_conflicts=True)
    known |= dict(NameCandidate.objects.filter(workspace=diagnosis.workspace_id, key__in=new).values_list("key", "pk"))
    rows = {(known[key], answer) for name, _guess, answer in sightings if (key := build_spelling_key(name)) in known}
    NameSighting.objects.bulk_create(
        (NameSighting(candidate_id=candidate, answer_id=answer) for candidate, answer in sorted(rows)),
        ignore_conflicts=True,
    )


def _iter_sightings(diagnosis: Diagnosis) -> Iterator[tuple[str, bool, UUID]]:
    """Yield (name, whether it is a guess, answer), known brands first: they matter more if there is little room."""
    tracked = set(Spelling.objects.filter(workspace=diagnosis.workspace_id).values_list("key", flat=True))
    valid = Answer.objects.filter(diagnosis=diagnosis, state=AnswerState.VALID).order_by("pk")
    rows = list(valid.values_list("pk", "others", "discovered"))
    for is_guess in (False, True):
        for pk, others, discovered in rows:
            for name in (discovered if is_guess else others) or ():
                if len(name) <= MAX_NAME_CHARACTERS and build_spelling_key(name) not in tracked:
                    yield name, is_guess, pk


def list_candidates(workspace: Workspace, state: str) -> list[dict[str, Any]]:
    """Return the candidates in a state, those in most answers first, with an example of where they stand."""
    rows = list(
        NameCandidate.objects.filter(workspace=workspace, state=state)
        .annotate(
            answers=Count("sightings"),
            runs=Count("sightings__answer__diagnosis", distinct=True),
            questions=Count("sightings__answer__question__text", distinct=True),
            platforms=ArrayAgg("sightings__answer__platform", distinct=True, default=[]),
        )
        .order_by("is_guess", "-answers", "name")
    )
    examples = NameSighting.objects.filter(candidate__in=rows).order_by("candidate_id", "-pk").distinct("candidate_id")
    by_candidate = {row.candidate_id: row.answer for row in examples.select_related("answer")}
    return [
        {name: getattr(row, name) for name in ("id", "name", "is_guess", "state", "answers", "runs", "questions")}
        | {
            "platforms": [platform for platform in row.platforms if platform],
            "brand": row.brand_id,
            "example": _build_example(row.name, by_candidate.get(row.pk)),
        }
        for row in rows
    ]


def _build_example(name: str, answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    at = max(0, answer.text.casefold().find(name.casefold()))
    start, end = max(0, at - QUOTE_CONTEXT_CHARACTERS), at + len(name) + QUOTE_CONTEXT_CHARACTERS
    return {"answer": answer.pk, "diagnosis": answer.diagnosis_id, "text": answer.text[start:end]}


def get_candidate(workspace: Workspace, candidate_id: UUID) -> NameCandidate:
    """Return a candidate of the workspace. Raises NotFound."""
    candidate = NameCandidate.objects.filter(workspace=workspace, pk=candidate_id).first()
    if candidate is None:
        raise NotFound
    return candidate


def accept_candidate(workspace: Workspace, candidate: NameCandidate, names_version: int) -> Workspace:
    """Track a new name as a competitor. Raises what `apply_names` raises, and Conflict if it is decided already."""
    _check_state(candidate, NameCandidate.State.NEW, NameCandidate.State.IGNORED)
    return apply_names(workspace, [*load_names(workspace), BrandNames(candidate.name)], names_version)


def merge_candidate(workspace: Workspace, candidate: NameCandidate, brand_id: UUID, names_version: int) -> Workspace:
    """Add a new name to a brand as another spelling. Raises InvalidInput if there is no such brand."""
    _check_state(candidate, NameCandidate.State.NEW, NameCandidate.State.IGNORED)
    names = load_names(workspace)
    if str(brand_id) not in {brand.id for brand in names}:
        raise InvalidInput(fields={"brand": _("工作区里没有这个品牌。")})
    changed = [
        replace(brand, aliases=(*brand.aliases, candidate.name)) if brand.id == str(brand_id) else brand
        for brand in names
    ]
    return apply_names(workspace, changed, names_version)


def ignore_candidate(candidate: NameCandidate) -> None:
    """Leave a new name out for good. Raises Conflict if it is tracked."""
    with transaction.atomic():
        locked = NameCandidate.objects.select_for_update().get(pk=candidate.pk)
        _check_state(locked, NameCandidate.State.NEW, NameCandidate.State.IGNORED)
        locked.state = NameCandidate.State.IGNORED
        locked.save(update_fields=["state"])


def restore_candidate(workspace: Workspace, candidate: NameCandidate, names_version: int) -> Workspace:
    """Undo the decision on a name: it is new again, and no longer tracked or a spelling."""
    if candidate.state in (NameCandidate.State.NEW, NameCandidate.State.IGNORED):
        NameCandidate.objects.filter(pk=candidate.pk).update(state=NameCandidate.State.NEW)
        return workspace
    names = load_names(workspace)
    kept = [
        replace(brand, aliases=tuple(text for text in brand.aliases if build_spelling_key(text) != candidate.key))
        for brand in names
        if brand.is_own or build_spelling_key(brand.name) != candidate.key
    ]
    return apply_names(workspace, kept, names_version)


def _check_state(candidate: NameCandidate, *allowed: NameCandidate.State) -> None:
    if candidate.state not in allowed:
        raise Conflict(fields={"candidate": _("这个名称已经处理过了。")})
