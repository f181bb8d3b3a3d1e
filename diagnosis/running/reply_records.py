"""Store the record of a reply: columns of its answer, and rows for its sources, queries and raw bodies."""

import json
import zlib
from collections.abc import Iterable
from typing import Any

from diagnosis.models import Answer, RawReply, SearchQuery, Source
from diagnosis.platforms.protocols.urls import clean_url, get_page_key
from diagnosis.replies import PlatformReply
from diagnosis.sites import get_host

MAX_RAW_REPLY_BYTES = 1024 * 1024  # before compression


def build_reply_columns(reply: PlatformReply) -> dict[str, Any]:
    """Return the columns of a valid answer that its reply decides."""
    search = reply.search
    return {
        "text": reply.text,
        "model": reply.model[:128],
        "requested_model": reply.requested_model,
        "protocol": reply.protocol,
        "surface": reply.surface,
        "params_hash": reply.params_hash,
        "is_truncated": reply.is_truncated,
        "finish": reply.finish[:64],
        "is_search_forced": search.forced,
        "search_happened": search.happened,
        "search_count": search.count,
        "search_count_basis": search.count_basis,
        "search_errors": list(search.errors),
        "tells_queries": reply.queries is not None,
    }


def create_reply_rows(replies: Iterable[tuple[Answer, PlatformReply]]) -> None:
    """Create the rows that belong to new answers, with one statement a table."""
    sources: list[Source] = []
    queries: list[SearchQuery] = []
    raw_replies: list[RawReply] = []
    for answer, reply in replies:
        sources += _build_sources(answer, reply)
        queries += [
            SearchQuery(answer=answer, position=position, text=text)
            for position, text in enumerate(reply.queries or ())
        ]
        if reply.raw:
            raw_replies.append(_build_raw_reply(answer, reply))
    Source.objects.bulk_create(sources)
    SearchQuery.objects.bulk_create(queries)
    RawReply.objects.bulk_create(raw_replies)


def _build_sources(answer: Answer, reply: PlatformReply) -> list[Source]:
    spans: dict[int, list[list[int]]] = {}
    for span in reply.spans:
        for position in span.sources:
            spans.setdefault(position, []).append([span.start, span.end])
    rows = []
    for source in reply.sources:
        url = clean_url(source.final_url or source.url)
        rows.append(
            Source(
                answer=answer,
                position=source.position,
                label=source.label,
                url_raw=source.url,
                url=url,
                page=get_page_key(url) if url else "",
                host=get_host(url)[:255],
                title=source.title,
                site=source.site,
                published=source.published,
                snippet=source.snippet,
                origin=source.origin,
                cited=source.cited,
                spans=spans.get(source.position, []),
            )
        )
    return rows


def _build_raw_reply(answer: Answer, reply: PlatformReply) -> RawReply:
    content = json.dumps(reply.raw, ensure_ascii=False).encode("utf-8", "replace")
    is_cut = len(content) > MAX_RAW_REPLY_BYTES
    return RawReply(answer=answer, content=b"" if is_cut else zlib.compress(content), size=len(content), is_cut=is_cut)


def read_raw_reply(raw_reply: RawReply) -> Any:
    """Return the stored bodies, one a step; an empty list if they were too long to be stored."""
    return [] if raw_reply.is_cut else json.loads(zlib.decompress(bytes(raw_reply.content)))


def copy_reply_rows(copies: dict[Any, Any]) -> None:
    """Copy sources and queries to other answers, by {id: id of the copy}. Raw replies stay with the first."""
    sources = list(Source.objects.filter(answer_id__in=copies))
    for source in sources:
        source.pk, source.answer_id = None, copies[source.answer_id]
    Source.objects.bulk_create(sources)
    queries = list(SearchQuery.objects.filter(answer_id__in=copies))
    for query in queries:
        query.pk, query.answer_id = None, copies[query.answer_id]
    SearchQuery.objects.bulk_create(queries)
