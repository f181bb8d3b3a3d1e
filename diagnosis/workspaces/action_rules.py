"""The rules that find what a workspace may act on: counts of one run and the one before, without a model's opinion.

Each finding lists the answers behind its count, so that reading them again gives the same number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from diagnosis.analysis.columns import get_mentioned_brands
from diagnosis.choices import AnswerState, PlatformSurface, SiteKind, Ternary
from diagnosis.models import Answer, Diagnosis, FindingKind, NameCandidate, NameSighting, RunFigure, RunSummary, Source
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.workspaces.defaults import build_name_key
from diagnosis.workspaces.names import BrandNames, load_names
from diagnosis.workspaces.questions import build_question_key
from diagnosis.workspaces.sources import SourceScope, build_source_classifier, count_hosts, is_source_gap, load_basis

# Increment when a rule finds something else.
RULE_VERSION = 1

MAX_EVIDENCE_ANSWERS = 50
MAX_GAP_ACTIONS = 5
MAX_SHOWN_QUOTES = 5
MAX_QUOTE_CHARACTERS = 200
MIN_RIVAL_ANSWERS = 3  # that name a rival in answers to a lost question
MIN_PLATFORM_ANSWERS = 5
MIN_CANDIDATE_ANSWERS = 5  # in two runs


@dataclass(frozen=True)
class Finding:
    """What a rule found. answers: all that its count is of; details: further numbers and texts to show."""

    kind: FindingKind
    subject: str
    answers: Sequence[UUID]
    details: Mapping[str, Any]


class RunEvidence:
    """An ended run with what the rules read of it."""

    def __init__(self, diagnosis: Diagnosis, summary: RunSummary) -> None:
        self.diagnosis, self.summary = diagnosis, summary

    @cached_property
    def previous(self) -> RunSummary | None:
        """The run that it is compared with."""
        return RunSummary.objects.filter(diagnosis=self.summary.previous_id).first()

    @cached_property
    def names(self) -> list[BrandNames]:
        """The names of the workspace."""
        assert self.diagnosis.workspace
        return load_names(self.diagnosis.workspace)

    @cached_property
    def answers(self) -> list[tuple[UUID, UUID, str, set[str]]]:
        """(id, question, platform, keys of the brands it mentions) of the answers that count in rates."""
        rows = self.diagnosis.answers.filter(
            state=AnswerState.VALID, is_truncated=False, surface=self.summary.surface
        ).order_by("question__position", "platform__position", "repeat")
        if self.summary.surface != PlatformSurface.MEMORY:
            rows = rows.filter(search_happened=Ternary.YES)
        columns = rows.values_list("pk", "question", "platform", "mentions")
        return [
            (pk, question, platform, {build_name_key(name) for name in get_mentioned_brands(mentions)})
            for pk, question, platform, mentions in columns
        ]

    @cached_property
    def unbranded(self) -> set[UUID]:
        """The questions that name no brand."""
        questions = (self.diagnosis.report or {}).get("questions", [])
        return {UUID(row["id"]) for row in questions if row["kind"] == "unbranded"}

    @property
    def own_key(self) -> str:
        """The key of the own brand."""
        return build_name_key(self.diagnosis.brand)


def find_findings(evidence: RunEvidence) -> list[Finding]:
    """Return what the rules find in a run."""
    return [finding for rule in _RULES for finding in rule(evidence)]


def _find_drop(run: RunEvidence) -> Iterator[Finding]:
    for change in run.summary.list_significant_changes():
        if change["is_own"] and change["changed"] == "down":
            missing = [
                pk for pk, question, _platform, named in run.answers
                if question in run.unbranded and run.own_key not in named
            ]  # fmt: skip
            details = {name: change[name] for name in ("before", "after", "low", "high")}
            yield Finding(FindingKind.DROP, run.diagnosis.panel, missing, details)


def _find_lost_questions(run: RunEvidence) -> Iterator[Finding]:
    if run.previous is None:
        return
    before = {row["text"] for row in run.previous.lost if _is_clearly_lost(row)}
    for row in run.summary.lost:
        if _is_clearly_lost(row) and row["text"] in before:
            winner = build_name_key(row["winners"][0])
            answers = [
                pk for pk, question, _platform, named in run.answers
                if str(question) == row["question"] and winner in named
            ]  # fmt: skip
            details = {"text": row["text"], "rival": row["winners"][0], "valid": row["valid"]}
            yield Finding(FindingKind.LOST_QUESTION, build_question_key(row["text"]), answers, details)


def _is_clearly_lost(row: Mapping[str, Any]) -> bool:
    return bool(row["mentions"] == 0 and row["winners_mentions"] >= MIN_RIVAL_ANSWERS)


def _find_weak_platforms(run: RunEvidence) -> Iterator[Finding]:
    figures = RunFigure.objects.filter(diagnosis=run.diagnosis, is_own=True, surface=run.summary.surface)
    rows = [figure for figure in figures.exclude(platform="") if figure.n >= MIN_PLATFORM_ANSWERS]
    intervals = {row.platform: compute_rate_interval(row.k, row.n) for row in rows}
    for row in rows:
        high = intervals[row.platform][1] or 0.0
        others = [low or 0.0 for platform, (low, _high) in intervals.items() if platform != row.platform]
        if others and high < min(others):
            missing = [
                pk for pk, question, platform, named in run.answers
                if platform == row.platform and question in run.unbranded and run.own_key not in named
            ]  # fmt: skip
            details = {"platform": row.platform, "k": row.k, "n": row.n, "rate": compute_rate(row.k, row.n)}
            yield Finding(FindingKind.WEAK_PLATFORM, row.platform, missing, details)


def _find_source_gaps(run: RunEvidence) -> Iterator[Finding]:
    assert run.diagnosis.workspace
    if run.summary.surface == PlatformSurface.MEMORY:
        return
    scope = SourceScope([run.diagnosis.pk], run.summary.surface)
    basis = load_basis(scope, run.names)
    if not basis.gap:
        return
    classifier = build_source_classifier(run.diagnosis.workspace, run.names)
    gaps = [
        row for row in count_hosts(scope, basis)
        if is_source_gap(row) and classifier.classify(row["host"]) not in (SiteKind.OWN, SiteKind.COMPETITOR)
    ]  # fmt: skip
    for row in sorted(gaps, key=lambda row: -row["gap"])[:MAX_GAP_ACTIONS]:
        cited = Source.objects.filter(answer__in=basis.gap, host=row["host"], cited=Ternary.YES).order_by()
        answers = list(cited.values_list("answer", flat=True).distinct())
        details = {"host": row["host"], "questions": row["gap_questions"], "base": len(basis.gap)}
        yield Finding(FindingKind.SOURCE_GAP, row["host"], answers, details)


def _find_blame(run: RunEvidence) -> Iterator[Finding]:
    own = next((brand for brand in (run.diagnosis.report or {}).get("brands", []) if brand["is_own"]), None)
    by_platform: dict[str, list[dict[str, Any]]] = {}
    for quote in ((own or {}).get("sentiment") or {}).get("blame", []):
        by_platform.setdefault(quote["platform"], []).append(quote)
    for platform, quotes in by_platform.items():
        answers = list(dict.fromkeys(UUID(str(quote["answer"])) for quote in quotes))
        texts = dict(Answer.objects.filter(pk__in=answers[:MAX_SHOWN_QUOTES]).values_list("pk", "text"))
        shown = [
            texts[UUID(str(quote["answer"]))][quote["start"] : quote["end"]][:MAX_QUOTE_CHARACTERS]
            for quote in quotes
            if UUID(str(quote["answer"])) in texts
        ]
        yield Finding(FindingKind.BLAME, platform, answers, {"platform": platform, "quotes": shown[:MAX_SHOWN_QUOTES]})


def _find_new_rivals(run: RunEvidence) -> Iterator[Finding]:
    """Count in this run and the one before only, however many runs the workspace has."""
    runs = [run.diagnosis.pk, run.summary.previous_id]
    sightings = NameSighting.objects.filter(
        answer__diagnosis__in=runs,
        candidate__workspace=run.diagnosis.workspace_id,
        candidate__state=NameCandidate.State.NEW,
        candidate__is_guess=False,
    ).order_by("candidate_id", "-pk")
    found: dict[NameCandidate, list[tuple[UUID, UUID]]] = {}
    for sighting in sightings.select_related("candidate", "answer").defer("answer__text"):
        found.setdefault(sighting.candidate, []).append((sighting.answer_id, sighting.answer.diagnosis_id))
    for candidate, rows in sorted(found.items(), key=lambda item: -len(item[1]))[:MAX_GAP_ACTIONS]:
        if len(rows) >= MIN_CANDIDATE_ANSWERS and len({diagnosis for _answer, diagnosis in rows}) > 1:
            details = {"name": candidate.name, "candidate": str(candidate.pk)}
            yield Finding(FindingKind.NEW_RIVAL, candidate.key, [answer for answer, _diagnosis in rows], details)


_RULES: Sequence[Callable[[RunEvidence], Iterator[Finding]]] = (
    _find_drop,
    _find_lost_questions,
    _find_weak_platforms,
    _find_source_gaps,
    _find_blame,
    _find_new_rivals,
)
