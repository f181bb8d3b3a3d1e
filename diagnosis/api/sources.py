"""HTTP API of sources: the pages that answers rest on, and in which answers."""

import uuid
from typing import Any, Literal

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from ninja import P, QueryEx, Router, Schema

from diagnosis.api.access import get_visible_diagnosis
from diagnosis.choices import Ternary
from diagnosis.models import Source
from diagnosis.reports.schemas import SiteKindText
from diagnosis.reports.service import get_site_classifier

router = Router(tags=["sources"])

SOURCE_PAGE_SIZE = 50
MAX_USES, MAX_USES_OF_ONE_PAGE = 10, 1000
_USE_COLUMNS = ("answer", "position", "label", "origin", "cited", "spans", "snippet", "published")

_ANSWER_COLUMNS = {
    "question": F("answer__question"),
    "platform": F("answer__platform"),
    "surface": F("answer__surface"),
}


class SourceUseOut(Schema):
    """A page in an answer. spans: where the answer's text cites it, [start, end) in code points."""

    answer: uuid.UUID
    question: uuid.UUID
    platform: str
    surface: Literal["memory", "search", "app"]
    position: int
    label: str
    origin: Literal["result", "citation", "opened", "self_reported"]
    cited: Literal["yes", "no", "unknown"]
    spans: list[tuple[int, int]]
    snippet: str
    published: str


class SourceListItem(Schema):
    """A page with the valid answers that list it, ten unless `page` is given; kind is null for an unknown site."""

    page: str
    url: str
    host: str
    site: str
    title: str
    kind: SiteKindText | None
    brand: str | None
    listed: int
    cited: int
    answers: list[SourceUseOut]


class SourceList(Schema):
    """A page of pages, those in most answers first; next is the cursor of the following ones, null at the end."""

    items: list[SourceListItem]
    next: int | None


@router.get(
    "/diagnoses/{diagnosis_id}/sources",
    response=SourceList,
    summary="List the sources",
    operation_id="diagnosis_sources_api_list_sources",
)
def list_sources(
    request: HttpRequest,
    diagnosis_id: str,
    surface: Literal["search", "app"] | None = None,
    platform: QueryEx[str, P(max_length=32)] = "",
    host: QueryEx[str, P(max_length=255)] = "",
    page: QueryEx[str, P(max_length=2000)] = "",
    cited: bool = False,
    cursor: QueryEx[int, P(ge=0, le=100_000)] = 0,
) -> dict[str, Any]:
    """Return 50 pages that platforms name as sources, each with ten of the valid answers they stand in.

    page: only this page, with up to 1,000 answers.
    """
    diagnosis = get_visible_diagnosis(request, diagnosis_id)
    filters = {
        "answer__surface": surface,
        "answer__platform": platform.replace("\x00", ""),
        "host": host.replace("\x00", "").lower(),
        "page": page.replace("\x00", ""),
        "cited": Ternary.YES if cited else None,
    }
    rows = Source.objects.counted().filter(answer__diagnosis=diagnosis).exclude(page="")
    rows = rows.filter(**{name: value for name, value in filters.items() if value})
    counts = (
        rows.order_by()
        .values("page")
        .annotate(
            listed=Count("answer", distinct=True),
            cited=Count("answer", distinct=True, filter=Q(cited=Ternary.YES)),
        )
        .order_by("-cited", "-listed", "page")
    )
    selected = list(counts[cursor : cursor + SOURCE_PAGE_SIZE + 1])
    items: dict[str, dict[str, Any]] = {row["page"]: row | {"answers": []} for row in selected[:SOURCE_PAGE_SIZE]}
    classifier = get_site_classifier(diagnosis.brands.all())
    ranked = rows.filter(page__in=items).annotate(
        rank=Window(RowNumber(), partition_by="page", order_by=["answer", "position"])
    )
    uses = ranked.filter(rank__lte=MAX_USES_OF_ONE_PAGE if page else MAX_USES).order_by("page", "rank")
    for use in uses.values(*_USE_COLUMNS, "page", "url", "host", "site", "title", **_ANSWER_COLUMNS):
        item = items[use["page"]]
        if not item["answers"]:
            brand = classifier.find_brand(use["host"])
            item |= {"url": use["url"], "host": use["host"], "kind": classifier.classify(use["host"])}
            item |= {"site": use["site"], "title": use["title"], "brand": brand.name if brand else None}
        item["title"] = item["title"] or use["title"]
        item["answers"].append(use)
    return {
        "items": list(items.values()),
        "next": cursor + SOURCE_PAGE_SIZE if len(selected) > SOURCE_PAGE_SIZE else None,
    }
