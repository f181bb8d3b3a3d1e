"""The sources of a workspace's runs: hosts, their pages, and the answers that name them.

The unit is one valid answer of a platform that tells its sources; a host counts once per answer. A gap is a host that
is cited where answers name a rival and not the own brand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, Count, ExpressionWrapper, F, Func, Q, Value

from diagnosis.analysis.columns import MENTION_UNCERTAIN
from diagnosis.choices import FINAL_STATUSES, AnswerState, Ternary
from diagnosis.models import Answer, Brand, Diagnosis, SiteClass, Source, SourceClass, Workspace
from diagnosis.platforms.demo.web import get_demo_site_kinds
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.reports.sources import BrandSites, SiteClassifier
from diagnosis.workspaces.defaults import build_name_key
from diagnosis.workspaces.names import BrandNames, load_names
from diagnosis.workspaces.panel_keys import build_panel_filter

MAX_SOURCE_RUNS = 52
DEFAULT_SOURCE_RUNS = 12
MAX_LISTED_HOSTS = 200
PAGES_PER_PAGE = 50
MIN_GAP_ANSWERS = 3
MIN_GAP_QUESTIONS = 2
MAX_USES_PER_PAGE = 20
MAX_PLACES_PER_USE = 3
MAX_PLACE_CHARACTERS = 160
PLACE_CONTEXT_CHARACTERS = 24


@dataclass(frozen=True)
class SourceScope:
    """Which answers count: those of these runs, of one surface."""

    runs: Sequence[UUID]
    surface: str


@dataclass
class AnswerBasis:
    """The answers that count. total: of platforms that tell their sources; gap: those that name a rival only."""

    total: int = 0
    untold: dict[str, int] = field(default_factory=dict)
    gap: list[UUID] = field(default_factory=list)


def select_scope(workspace: Workspace, panel: str, runs: int, surface: str) -> SourceScope:
    """Return the newest ended runs of a panel, or of all panels."""
    diagnoses = Diagnosis.objects.filter(workspace=workspace, status__in=FINAL_STATUSES, valid__gt=0)
    diagnoses = diagnoses.filter(build_panel_filter(panel)) if panel else diagnoses
    newest = diagnoses.ended_with_answers().order_by("-created_at").values_list("pk", flat=True)
    return SourceScope(list(newest[:runs]), surface)


def build_source_classifier(workspace: Workspace, names: Iterable[BrandNames]) -> SiteClassifier:
    """Return what tells the kinds of hosts: own and rival sites first, then the workspace's table, then the site's."""
    overrides = dict(SourceClass.objects.filter(workspace=workspace).values_list("host", "kind"))
    return SiteClassifier(
        [BrandSites(brand.name, brand.is_own, brand.sites, brand.spellings) for brand in names],
        (get_demo_site_kinds() if settings.DEMO else {})
        | dict(SiteClass.objects.values_list("host", "kind"))
        | overrides,
    )


def load_basis(scope: SourceScope, names: Sequence[BrandNames]) -> AnswerBasis:
    """Return which answers count, by the brands that they certainly mention."""
    answers = Answer.objects.filter(
        diagnosis__in=scope.runs,
        state=AnswerState.VALID,
        surface=scope.surface,
        is_truncated=False,
        search_happened=Ternary.YES,
    ).order_by()
    telling = set(_filter_sources(scope).values_list("answer__platform", flat=True).distinct())
    basis = AnswerBasis()
    is_gap = _build_gap_condition(scope, names)
    for pk, platform, is_in_gap in answers.values_list("pk", "platform", is_gap):
        if platform not in telling:
            basis.untold[platform] = basis.untold.get(platform, 0) + 1
            continue
        basis.total += 1
        if is_in_gap:
            basis.gap.append(pk)
    return basis


def _build_gap_condition(scope: SourceScope, names: Sequence[BrandNames]) -> "ExpressionWrapper[Q]":
    """Return whether an answer certainly mentions a brand, but not the own one; the mentions stay in the database."""
    own = {build_name_key(brand.name) for brand in names if brand.is_own}
    in_runs = Brand.objects.filter(diagnosis__in=scope.runs).order_by().values_list("name", flat=True).distinct()
    own_names = [name for name in in_runs if build_name_key(name) in own]
    is_certain = f'!(@[3] == "{MENTION_UNCERTAIN}")'
    names_any = _match_mentions(f"$[*] ? ({is_certain})")
    names_own = _match_mentions(f"$[*] ? ({is_certain} && @[0] == $own[*])", own=own_names)
    return ExpressionWrapper(Q(names_any) & ~Q(names_own), BooleanField())


def _match_mentions(path: str, **variables: Any) -> Func:
    arguments = F("mentions"), Value(path), Value(json.dumps(variables))
    return Func(*arguments, function="jsonb_path_exists", output_field=BooleanField())


def _filter_sources(scope: SourceScope) -> Any:
    rows = Source.objects.counted().filter(answer__diagnosis__in=scope.runs, answer__surface=scope.surface)
    return rows.exclude(host="").order_by()


def build_sources_page(workspace: Workspace, scope: SourceScope) -> dict[str, Any]:
    """Return the hosts, those in most answers first, at most 200."""
    names = load_names(workspace)
    basis = load_basis(scope, names)
    classifier = build_source_classifier(workspace, names)
    return {
        "surface": scope.surface,
        "runs": len(scope.runs),
        "answers": basis.total,
        "untold": basis.untold,
        "gap_answers": len(basis.gap),
        "hosts": [_serialize_host(row, basis, classifier) for row in count_hosts(scope, basis)[:MAX_LISTED_HOSTS]],
    }


def count_hosts(scope: SourceScope, basis: AnswerBasis) -> list[dict[str, Any]]:
    """Return {host, listed, cited, gap, gap_questions} of all hosts; the last two count cited ones only."""
    is_cited, is_gap = Q(cited=Ternary.YES), Q(answer__in=basis.gap)
    counted = (
        _filter_sources(scope)
        .values("host")
        .annotate(
            listed=Count("answer", distinct=True),
            cited_answers=Count("answer", distinct=True, filter=is_cited),
            pages=Count("page", distinct=True),
            gap=Count("answer", distinct=True, filter=is_cited & is_gap),
            gap_questions=Count("answer__question__text", distinct=True, filter=is_cited & is_gap),
        )
    )
    return list(counted.order_by("-cited_answers", "-listed", "host"))


def is_source_gap(row: Mapping[str, Any]) -> bool:
    """Whether a host is cited in enough answers to enough questions that name a rival and not the own brand."""
    return bool(row["gap"] >= MIN_GAP_ANSWERS and row["gap_questions"] >= MIN_GAP_QUESTIONS)


def _serialize_host(row: Mapping[str, Any], basis: AnswerBasis, classifier: SiteClassifier) -> dict[str, Any]:
    brand = classifier.find_brand(row["host"])
    low, high = compute_rate_interval(row["cited_answers"], basis.total)
    return {
        "host": row["host"],
        "kind": classifier.classify(row["host"]),
        "brand": brand.name if brand else None,
        "pages": row["pages"],
        "listed": row["listed"],
        "cited": row["cited_answers"],
        "rate": compute_rate(row["cited_answers"], basis.total),
        "low": low,
        "high": high,
        "gap": row["gap"],
        "is_gap": is_source_gap(row),
    }


def list_host_pages(scope: SourceScope, host: str, cursor: int) -> dict[str, Any]:
    """Return pages of a host with the newest answers that name them, those in most answers first."""
    rows = _filter_sources(scope).filter(host=host).exclude(page="")
    counted = rows.values("page").annotate(answers=Count("answer", distinct=True)).order_by("-answers", "page")
    selected = list(counted[cursor : cursor + PAGES_PER_PAGE + 1])
    pages: dict[str, dict[str, Any]] = {
        row["page"]: {"page": row["page"], "url": "", "title": "", "answers": row["answers"], "uses": []}
        for row in selected[:PAGES_PER_PAGE]
    }
    uses = rows.filter(page__in=pages).select_related("answer__question").defer("answer__text")
    for source in uses.order_by("-answer__answered_at", "answer", "position"):
        page = pages[source.page]
        page["url"], page["title"] = page["url"] or source.url, page["title"] or source.title
        if len(page["uses"]) < MAX_USES_PER_PAGE:
            page["uses"].append(_serialize_use(source))
    _add_places([use for page in pages.values() for use in page["uses"]])
    return {
        "host": host,
        "pages": list(pages.values()),
        "next": cursor + PAGES_PER_PAGE if len(selected) > PAGES_PER_PAGE else None,
    }


def _add_places(uses: Sequence[dict[str, Any]]) -> None:
    """Add to each use the places of its text that cite the page, with what stands before and after."""
    cited = {use["answer"] for use in uses if use["spans"]}
    texts = dict(Answer.objects.filter(pk__in=cited).values_list("pk", "text"))
    for use in uses:
        text = texts.get(use["answer"], "")
        use["places"] = [
            {
                "before": text[max(0, start - PLACE_CONTEXT_CHARACTERS) : start],
                "text": text[start : min(end, start + MAX_PLACE_CHARACTERS)],
                "after": text[end : end + PLACE_CONTEXT_CHARACTERS],
            }
            for start, end in use["spans"][:MAX_PLACES_PER_USE]
            if start < end <= len(text)
        ]


def _serialize_use(source: Source) -> dict[str, Any]:
    return {
        "diagnosis": source.answer.diagnosis_id,
        "answer": source.answer_id,
        "question": source.answer.question.text,
        "platform": source.answer.platform_id,
        "cited": source.cited,
        "spans": source.spans,
        "answered_at": source.answer.answered_at,
    }
