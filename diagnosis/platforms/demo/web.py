"""A fictional web of 60 pages: brands' own sites, media, shops, forums, an encyclopedia; and its search."""

import hashlib
import random
from dataclasses import dataclass
from functools import cache

from diagnosis.choices import SiteKind

DEMO_BRANDS = ["山岚", "云栖壶", "木石坊", "松间集", "半日闲", "一盏", "青禾器", "Kettlewood"]

_SITES_BY_BRAND = {
    "山岚": "shanlan.example",
    "云栖壶": "yunqi.example",
    "木石坊": "mushifang.example",
    "松间集": "songjian.example",
    "半日闲": "banrixian.example",
    "一盏": "yizhan.example",
    "青禾器": "qinghe.example",
    "Kettlewood": "kettlewood.example",
}
# host, site, kind
_MEDIA = [("qijuzhoukan.example", "器具周刊"), ("shenghuojia.example", "生活家"), ("cepingshi.example", "测评室")]
_SHOPS = [("gouwujie.example", "购物街"), ("haowudian.example", "好物店")]
_FORUMS = [("huyou.example", "壶友论坛"), ("wenda.example", "问答社区")]


@dataclass(frozen=True)
class Page:
    """A page of the fictional web. brands: those that it names, the most prominent first."""

    url: str
    title: str
    site: str
    kind: str
    published: str
    snippet: str
    brands: tuple[str, ...]


@cache
def get_pages() -> tuple[Page, ...]:
    """Return all pages."""
    pages: list[Page] = []
    for brand, host in _SITES_BY_BRAND.items():
        pages += [
            _page(f"https://www.{host}/", f"{brand}官方网站", brand, "brand", [brand], f"{brand}：用心做好每一件。"),
            _page(
                f"https://www.{host}/products/pour-over", f"{brand}手冲系列", brand, "brand", [brand], "参数与价格。"
            ),
        ]
    for number in range(7):
        for host, site in _MEDIA:
            brands = _pick_brands(f"{host}{number}", 2 + number % 4)
            title = f"{_TOPICS[number]}：{len(brands)} 个牌子对比"
            pages.append(_page(f"https://{host}/review/{100 + number}", title, site, "media", brands, "编辑部实测。"))
    for number in range(6):
        for host, site in _SHOPS:
            brands = _pick_brands(f"{host}{number}", 1)
            title = f"【{site}】{brands[0]} 热卖款"
            pages.append(
                _page(f"https://item.{host}/{70000 + number}.html", title, site, "shop", brands, "包邮，七天无理由。")
            )
    for number in range(5):
        for host, site in _FORUMS:
            brands = _pick_brands(f"{host}{number}", 1 + number % 3)
            title = f"求推荐：{_TOPICS[number]}？"
            pages.append(
                _page(f"https://{host}/thread-{4000 + number}", title, site, "forum", brands, "楼主最后选了它。")
            )
    pages.append(_page("https://baike.example/item/手冲壶", "手冲壶", "百科", "reference", [], "手冲壶是一种器具。"))
    return tuple(pages)


_TOPICS = ["入门款怎么选", "性价比之选", "送礼推荐", "控温是否必要", "小众好物", "耐用性测试", "今年新品"]


def _pick_brands(seed: str, count: int) -> list[str]:
    rng = random.Random(hashlib.sha256(seed.encode()).digest())
    weights = [1 / (rank + 1) ** 0.6 for rank in range(len(DEMO_BRANDS))]
    return list(dict.fromkeys(rng.choices(DEMO_BRANDS, weights, k=count + 2)))[:count]


def _page(url: str, title: str, site: str, kind: str, brands: list[str], snippet: str) -> Page:
    day = 1 + int(hashlib.sha256(url.encode()).hexdigest(), 16) % 28
    text = f"{title}。提到：{'、'.join(brands) or '无'}。{snippet}"
    return Page(url, title, site, kind, f"2026-10-{day:02}", text, tuple(brands))


def get_demo_site_kinds() -> dict[str, str]:
    """Return {host: SiteKind} of the fictional sites that belong to no brand."""
    return {
        **{host: SiteKind.MEDIA.value for host, _site in _MEDIA},
        **{host: SiteKind.SHOP.value for host, _site in _SHOPS},
        **{host: SiteKind.COMMUNITY.value for host, _site in _FORUMS},
        "baike.example": SiteKind.REFERENCE.value,
    }


def search_pages(query: str, count: int) -> list[Page]:
    """Return the results of a query: the same ones for the same query."""
    rng = random.Random(hashlib.sha256(query.encode()).digest())
    weight_by_kind = {"media": 5.0, "forum": 4.0, "brand": 2.0, "shop": 2.0, "reference": 1.0}
    scored = [(rng.random() ** (1 / weight_by_kind[page.kind]), page.url, page) for page in get_pages()]
    return [page for _score, _url, page in sorted(scored, reverse=True)[:count]]
