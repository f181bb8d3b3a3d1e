"""Where answers come from: hosts and pages once per answer, kinds of sites, and surfaces that are never pooled."""

import csv
import io
import json
from importlib import import_module
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.choices import PlatformSurface, SourceOrigin, Ternary
from diagnosis.models import Diagnosis, SiteClass
from diagnosis.orders.services import RequestedBrand
from diagnosis.platforms.demo.web import get_pages
from diagnosis.replies import CitationSpan, PlatformReply, ReplySource, SearchRecord
from diagnosis.reports.sources import BrandSites, SiteClassifier
from diagnosis.running.results import CallResult
from diagnosis.sites import normalize_site
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)

SHIPPED = import_module("diagnosis.migrations.0024_site_classes").SITE_CLASSES
SEARCHED = SearchRecord(True, False, Ternary.YES, 1)


@pytest.fixture(autouse=True)
def _site_classes() -> None:
    if not SiteClass.objects.exists():  # another test has emptied the tables
        SiteClass.objects.bulk_create(SiteClass(host=host, kind=kind, name=name) for host, kind, name in SHIPPED)


def _source(position: int, url: str, cited: str = Ternary.YES, origin: str = SourceOrigin.CITATION) -> ReplySource:
    return ReplySource(
        position=position, url=url, title=f"标题 {position}", origin=SourceOrigin(origin), cited=Ternary(cited)
    )


def _searched(
    text: str, *sources: ReplySource, surface: PlatformSurface = PlatformSurface.SEARCH, **reply: Any
) -> CallResult:
    return CallResult(
        PlatformReply(text, "model-1", surface=surface, search=SEARCHED, sources=sources, **reply), None, 1, 5
    )


def _run(owner: AbstractUser, *results: CallResult, sites: list[str] | None = None) -> Diagnosis:
    platform = make_platform(surface=PlatformSurface.SEARCH)
    diagnosis = make_diagnosis(
        owner,
        [platform],
        questions=[f"第 {number} 个问题？" for number in range(len(results))],
        competitors=[RequestedBrand("木石坊")],
    )
    diagnosis.brands.filter(is_own=True).update(sites=sites or [])
    return run_and_end(diagnosis, *results)


def test_hosts_and_pages_count_once_per_answer_and_citations_apart(client: Client, owner: AbstractUser) -> None:
    diagnosis = _run(
        owner,
        _searched(
            "山岚不错。",
            _source(0, "https://www.zhihu.com/question/1?utm_source=x"),
            _source(1, "https://zhihu.com/question/1"),
            _source(2, "https://shop.shanlan.example/a", Ternary.NO, SourceOrigin.RESULT),
            spans=(CitationSpan(0, 4, (0,)),),
        ),
        _searched("山岚也行。", _source(0, "https://zhihu.com/question/2", Ternary.NO, SourceOrigin.RESULT)),
        sites=["shanlan.example"],
    )
    [sources] = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["sources"]
    hosts = {host["host"]: host for host in sources["hosts"]}
    zhihu, own = hosts["zhihu.com"], hosts["shop.shanlan.example"]
    assert (zhihu["listed"], zhihu["cited"], zhihu["pages"], zhihu["kind"]) == (2, 1, 2, "community")
    assert (own["kind"], own["brand"], own["cited"]) == ("own", "山岚", 0)
    assert (sources["answers"], sources["own_site_listed"], sources["own_site_cited"]) == (2, 1, 0)
    assert 0 < sources["own_site_listed_rate_low"] < 0.5 < sources["own_site_listed_rate_high"]
    listed = client.get(f"/api/diagnoses/{diagnosis.pk}/sources").json()
    first = listed["items"][0]
    assert (first["page"], first["listed"], first["cited"]) == ("zhihu.com/question/1", 1, 1)
    assert [use["spans"] for use in first["answers"]] == [[[0, 4]], []]
    assert listed["next"] is None
    assert len(client.get(f"/api/diagnoses/{diagnosis.pk}/sources?host=zhihu.com&cited=true").json()["items"]) == 1


def test_a_page_lists_ten_answers_and_all_of_them_by_itself(client: Client, owner: AbstractUser) -> None:
    pages = ["https://zhihu.com/question/1", "https://zhihu.com/question/2"]
    results = [_searched("山岚不错。", *[_source(place, url) for place, url in enumerate(pages)]) for _ in range(12)]
    diagnosis = _run(owner, *results)
    items = client.get(f"/api/diagnoses/{diagnosis.pk}/sources").json()["items"]
    assert [(item["listed"], len(item["answers"])) for item in items] == [(12, 10), (12, 10)]
    [item] = client.get(f"/api/diagnoses/{diagnosis.pk}/sources", {"page": "zhihu.com/question/2"}).json()["items"]
    assert (item["page"], len({use["answer"] for use in item["answers"]})) == ("zhihu.com/question/2", 12)


def test_fictional_sites_have_a_kind_in_the_demo(client: Client, owner: AbstractUser, settings: Any) -> None:
    settings.DEMO = True
    diagnosis = _run(
        owner, _searched("山岚不错。", *[_source(place, page.url) for place, page in enumerate(get_pages())])
    )
    [sources] = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["sources"]
    brand_sites = {page.url.split("/")[2].removeprefix("www.") for page in get_pages() if page.kind == "brand"}
    assert {host["host"] for host in sources["hosts"] if host["kind"] is None} <= brand_sites
    assert {kind["kind"] for kind in sources["kinds"]} >= {"media", "shop", "community", "reference"}


def test_gap_is_told_of_answers_that_name_a_competitor_only(client: Client, owner: AbstractUser) -> None:
    diagnosis = _run(
        owner,
        _searched("木石坊更好。", _source(0, "https://www.smzdm.com/p/1")),
        _searched("山岚和木石坊。", _source(0, "https://www.jd.com/1")),
        _searched("都可以。", _source(0, "https://unknown.example/1")),
    )
    [sources] = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["sources"]
    assert sources["gap"]["answers"] == 1
    assert [host["host"] for host in sources["gap"]["hosts"]] == ["smzdm.com"]
    assert {kind["kind"]: kind["cited"] for kind in sources["kinds"]} == {"community": 1, "shop": 1, None: 1}


def test_platform_without_sources_is_told_and_in_no_share(client: Client, owner: AbstractUser) -> None:
    telling = make_platform("telling", surface=PlatformSurface.SEARCH)
    silent = make_platform("silent", surface=PlatformSurface.SEARCH)
    diagnosis = run_and_end(
        make_diagnosis(owner, [telling, silent], questions=["甲？"]),
        *[_searched("山岚不错。", _source(0, "https://www.zhihu.com/1")), _searched("山岚不错。")],
    )
    [sources] = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["sources"]
    assert (sources["answers"], sources["answers_untold"]) == (1, 1)
    assert sorted((row["tells_sources"], row["hosts"] != []) for row in sources["platforms"]) == [
        (False, False),
        (True, True),
    ]


def test_surfaces_are_never_pooled(client: Client, owner: AbstractUser) -> None:
    memory, search = make_platform("memory"), make_platform("search", surface=PlatformSurface.SEARCH)
    diagnosis = make_diagnosis(owner, [memory, search], questions=["甲？", "乙？"])
    results = [
        make_valid_result("木石坊。") if answer.platform_id == "memory" else _searched("山岚。")
        for answer in diagnosis.answers.order_by("question__position", "platform__position", "platform_id")
    ]
    body = client.get(f"/api/diagnoses/{run_and_end(diagnosis, *results).pk}/report").json()
    assert body["surface"] == "search"
    own = body["brands"][0]
    assert (own["figures"]["mentions"], own["figures"]["valid"]) == (2, 2)
    assert own["by_platform"]["memory"]["mention_rate"] == 0
    assert [
        (each["surface"], each["valid"], each["brands"][0]["figures"]["mentions"]) for each in body["surfaces"]
    ] == [
        ("search", 2, 2),
        ("memory", 2, 0),
    ]
    assert body["verdict"]["answers"] == 2


def test_memory_has_no_sources(client: Client, owner: AbstractUser) -> None:
    diagnosis = run_and_end(make_diagnosis(owner, [make_platform()]), make_valid_result("见 https://www.zhihu.com/1"))
    body = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert (body["sources"], body["surface"], body["domains"][0]["domain"]) == ([], "memory", "zhihu.com")


def test_kinds_of_sites() -> None:
    kinds = {"baidu.com": "media", "tieba.baidu.com": "community", "xiaomi.com": "media"}
    brands = [
        BrandSites("小米", True, ["mi.com"], ["小米", "Redmi"]),
        BrandSites("Dr. Martens", False, [], ["Dr. Martens", "drmartens", "DM"]),
    ]
    classify = SiteClassifier(brands, kinds).classify
    assert [classify(host) for host in ("tieba.baidu.com", "news.baidu.com", "a.tieba.baidu.com", "notbaidu.com")] == [
        "community",
        "media",
        "community",
        None,
    ]
    assert [classify(host) for host in ("mi.com", "store.mi.com", "redmi.cn", "xiaomi.com", "xmi.com")] == [
        "own",
        "own",
        "own",
        "media",
        None,
    ]
    assert [classify(host) for host in ("drmartens.com", "dr-martens.com", "dm.com")] == ["competitor"] * 2 + [None]


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://WWW.Example.com/a?b", "example.com"),
        ("m.example.com.cn", "example.com.cn"),
        (" shop.example.com ", "shop.example.com"),
        ("xn--fiqs8s.xn--fiqs8s", "中国.中国"),
        ("example", ""),
        ("http://10.0.0.1/", ""),
        ("a b.com", ""),
        ("", ""),
    ],
)
def test_sites_are_hosts(text: str, host: str) -> None:
    assert normalize_site(text) == host


def test_shipped_kinds_are_normalized_and_cover_each_kind() -> None:
    assert {kind for _host, kind, _name in SHIPPED} == {kind for kind, _label in SiteClass.KINDS}
    assert [host for host, _kind, _name in SHIPPED if normalize_site(host) != host] == []


def _export(client: Client, diagnosis: Diagnosis, path: str) -> bytes:
    response: Any = client.get(f"/api/diagnoses/{diagnosis.pk}/export.{path}")
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def test_sources_and_queries_are_exported_and_printed(client: Client, owner: AbstractUser) -> None:
    diagnosis = _run(
        owner,
        _searched(
            "山岚不错。",
            _source(0, "https://www.zhihu.com/question/1"),
            _source(1, "https://shop.shanlan.example/a", Ternary.NO, SourceOrigin.RESULT),
            spans=(CitationSpan(0, 4, (0,)),),
            queries=("手冲壶 推荐",),
        ),
        _searched("木石坊。", _source(0, "https://www.smzdm.com/p/1", Ternary.UNKNOWN, SourceOrigin.RESULT)),
        sites=["shanlan.example"],
    )
    rows = list(csv.DictReader(io.StringIO(_export(client, diagnosis, "csv?of=sources").decode("utf-8-sig"))))
    assert [(row["host"], row["kind"], row["brand"], row["cited"], row["spans"]) for row in rows] == [
        ("zhihu.com", "community", "", "yes", '["0-4"]'),
        ("shop.shanlan.example", "own", "山岚", "no", "[]"),
        ("smzdm.com", "community", "", "unknown", "[]"),
    ]
    assert {(row["surface"], row["counted"]) for row in rows} == {("search", "true")}
    queries = list(csv.DictReader(io.StringIO(_export(client, diagnosis, "csv?of=queries").decode("utf-8-sig"))))
    assert [(row["question_number"], row["query"]) for row in queries] == [("1", "手冲壶 推荐")]
    book = openpyxl.load_workbook(io.BytesIO(_export(client, diagnosis, "xlsx")))
    assert [cell.value for cell in book["来源"]["J"]] == ["网站", "zhihu.com", "shop.shanlan.example", "smzdm.com"]
    assert [cell.value for cell in book["搜索词"]["I"]] == ["搜索词", "手冲壶 推荐"]
    first, second = json.loads(_export(client, diagnosis, "json"))["answers"]
    assert (first["queries"], second["queries"]) == (["手冲壶 推荐"], None)
    assert [source["spans"] for source in first["sources"]] == [[[0, 4]], []]
    page = client.get(f"/diagnoses/{diagnosis.pk}/print/").content.decode()
    for text in (
        "测量的是：联网搜索",
        "引用了官网的回答",
        "zhihu.com",
        "手冲壶 推荐",
        "没有提到本品牌的回答用了哪些来源",
    ):
        assert text in page
