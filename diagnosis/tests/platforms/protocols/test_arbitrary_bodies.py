"""Whatever a platform sends, a protocol returns a storable record or raises CallFailed."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnosis.choices import PlatformSurface, Ternary
from diagnosis.exceptions import CallFailed
from diagnosis.platforms.protocols.base import CallProfile, StepResponse
from diagnosis.platforms.protocols.registry import PROTOCOLS
from diagnosis.platforms.protocols.text import clean_answer_text
from diagnosis.platforms.protocols.urls import clean_url, get_page_key
from diagnosis.replies import CitationSpan, PlatformReply
from diagnosis.sites import get_host
from testing.fakes.protocols.all_traps import ALL_TRAPS
from testing.fakes.protocols.trap import QUESTION, Trap

_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just(["x", {}]),
)


def _replace_somewhere(body: Any, odd: Any, number: int) -> Any:
    """Return a copy of a body with its n-th value replaced."""
    places: list[tuple[Any, Any]] = []
    copy = json.loads(json.dumps(body))
    pending = [copy]
    while pending:
        item = pending.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else []
        places += [(item, key) for key in keys]
        pending += [item[key] for key in keys]
    if places:
        item, key = places[number % len(places)]
        item[key] = odd
    return copy


@settings(max_examples=400)
@given(st.sampled_from(ALL_TRAPS), _ODD, st.integers(0, 300), st.integers(0, 300))
def test_damaged_replies_raise_nothing_but_call_failed(trap: Trap, odd: Any, first: int, second: int) -> None:
    protocol = PROTOCOLS[trap.protocol]
    profile = CallProfile("https://p.example/v1", "m", trap.surface, search_options=trap.search_options)
    steps = protocol.run(profile, QUESTION)
    try:
        next(steps)
        for canned in trap.responses:
            body = _replace_somewhere(_replace_somewhere(canned.body, odd, first), odd, second)
            protocol.parse_usage(body)
            steps.send(StepResponse(canned.status, body, canned.headers))
    except StopIteration as stop:
        _check_storable(stop.value)
    except CallFailed:
        pass


def _check_storable(reply: PlatformReply) -> None:
    texts = [reply.text, reply.model, reply.reasoning, *(reply.queries or ())]
    for source in reply.sources:
        texts += [source.url, source.title, source.site, source.snippet, source.published, source.label]
    assert reply.text
    for text in texts:
        assert "\x00" not in text
        text.encode()
    for span in reply.spans:
        assert 0 <= span.start < span.end <= len(reply.text)
        assert all(0 <= position < len(reply.sources) for position in span.sources)
        assert all(reply.sources[position].cited == Ternary.YES for position in span.sources)


@given(
    st.lists(st.sampled_from(["山岚", "<think>", "</think>", " ", "\n", "\x00", "🫖", "木"]), max_size=30), st.data()
)
def test_spans_stay_on_their_text(parts: list[str], data: Any) -> None:
    raw = "".join(parts)
    answer = clean_answer_text(raw)
    assert answer.text == answer.text.strip() and "think>" not in answer.text.replace("</think>", "")
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    mapped = answer.map_span(CitationSpan(start, end, (0,)))
    if mapped:
        kept = "".join(
            raw[max(start, first) : min(end, last)] for first, last in answer.kept if first < end > start < last
        )
        assert answer.text[mapped.start : mapped.end] == kept


def test_long_answers_are_cut_and_marked() -> None:
    answer = clean_answer_text("山岚" * 20_000)
    assert answer.is_cut and len(answer.text) == 20_000


def test_hostile_text_takes_no_quadratic_time() -> None:
    started = time.process_time()
    for text in ("<think>" * 300_000, "</think>" * 300_000, "<think></think>" * 100_000, "\x00" * 1_000_000):
        clean_answer_text(text)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("url", "cleaned", "key"),
    [
        ("HTTPS://WWW.A.example/1/?utm_source=x&id=7#top", "https://www.a.example/1/?id=7", "a.example/1?id=7"),
        ("http://m.a.example/1?id=7&spm=1.2", "http://m.a.example/1?id=7", "a.example/1?id=7"),
        ("https://a.example:443/1?b=2&a=1", "https://a.example/1?b=2&a=1", "a.example/1?a=1&b=2"),
        ("https://a.example/1#ws_call_id=ws_9", "https://a.example/1", "a.example/1"),
        ("https://a.example/#/items/3", "https://a.example/#/items/3", "a.example#/items/3"),
        ("https://a.example/%E5%A3%B6", "https://a.example/%E5%A3%B6", "a.example/%E5%A3%B6"),
        ("https://a.example/壶", "https://a.example/壶", "a.example/%E5%A3%B6"),
        ("javascript:alert(1)", "", "javascript:alert(1)"),
        ("https://", "", "https://"),
        ("https://a b.example/", "", "https://a b.example/"),
        ("http://[::1", "", "http://[::1"),
        ("ftp://a.example/1", "", "ftp://a.example/1"),
    ],
)
def test_addresses_of_one_page_have_one_key(url: str, cleaned: str, key: str) -> None:
    assert (clean_url(url), get_page_key(url)) == (cleaned, key)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.zhihu.example/1", "zhihu.example"),
        ("https://m.zhihu.example/1", "zhihu.example"),
        ("https://m.example/1", "m.example"),
        ("https://xn--fsqu00a.xn--fiqs8s/", "例子.中国"),
        ("https://xn--/", "xn--"),
        ("not an address", ""),
    ],
)
def test_host_is_readable_and_without_variants(url: str, host: str) -> None:
    assert get_host(url) == host


@given(st.text(max_size=60))
def test_no_address_raises(text: str) -> None:
    for url in (text, "https://" + text, "https://a.example/" + text):
        clean_url(url)
        get_page_key(url)
        get_host(url)


@pytest.mark.parametrize("surface", PlatformSurface)
def test_many_results_are_bounded(surface: PlatformSurface) -> None:
    items = [{"index": n, "url": f"https://a.example/{n}", "title": "壶" * 2000} for n in range(3000)]
    body = {
        "output": {
            "choices": [{"finish_reason": "stop", "message": {"content": "山岚[1]"}}],
            "search_info": {"search_results": items},
        }
    }
    profile = CallProfile(
        "https://p.example/v1", "m", surface if surface != PlatformSurface.APP else PlatformSurface.SEARCH
    )
    steps = PROTOCOLS["dashscope"].run(profile, QUESTION)
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.send(StepResponse(200, body))
    assert len(stop.value.value.sources) == 200
    assert len(stop.value.value.sources[0].title) == 300
