"""Where answers come from: figures over the pages that platforms name, a pure function without database access.

The unit is one valid answer of a platform that tells its sources; a host or a page counts once per answer. Surfaces are
different measurements and never added up.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diagnosis.choices import PlatformSurface, SiteKind, Ternary
from diagnosis.reports.answers import ReportAnswer, filter_valid
from diagnosis.reports.intervals import compute_rate, compute_rate_interval
from diagnosis.sites import list_parent_hosts

MAX_HOSTS, MAX_PAGES, MAX_GAP_HOSTS, MAX_QUERIES = 30, 30, 15, 30
MIN_SPELLING_CHARACTERS = 3  # of a spelling that names a host, as in xiaomi.com


@dataclass(frozen=True)
class ReportSource:
    """A source of an answer; see `diagnosis.models.Source`."""

    answer: str
    host: str
    page: str
    url: str
    title: str
    cited: str


@dataclass(frozen=True)
class BrandSites:
    """The sites of a brand: the hosts that the user named, and its spellings, which a host may have as its label."""

    name: str
    is_own: bool
    sites: Sequence[str] = ()
    spellings: Sequence[str] = ()


class SiteClassifier:
    """Tells the kind of a host: of the brands' own sites first, then by the table of site kinds."""

    def __init__(self, brands: Iterable[BrandSites], kinds: Mapping[str, str]) -> None:
        self._kinds = kinds
        self._brands: dict[str, BrandSites] = {}
        self._labels: dict[str, BrandSites] = {}
        self._kinds_by_host: dict[str, str | None] = {}
        self.own_brand: str | None = None
        for brand in sorted(brands, key=lambda brand: not brand.is_own):
            self.own_brand = brand.name if brand.is_own else self.own_brand
            for site in brand.sites:
                self._brands.setdefault(site, brand)
            for spelling in brand.spellings:
                label = spelling.casefold().replace(" ", "").replace("-", "")
                if len(label) >= MIN_SPELLING_CHARACTERS and label.isascii() and label.isalnum():
                    self._labels.setdefault(label, brand)

    def find_brand(self, host: str) -> BrandSites | None:
        """Return the brand whose site it is: its host or a parent of it is named, or its domain label is a spelling."""
        hosts = list_parent_hosts(host)
        for parent in hosts:
            if parent in self._brands:
                return self._brands[parent]
            if parent in self._kinds:
                return None
        return self._labels.get(hosts[-1].split(".")[0].replace("-", ""))

    def classify(self, host: str) -> str | None:
        """Return a `SiteKind`, or None for an unknown host."""
        if host not in self._kinds_by_host:
            self._kinds_by_host[host] = self._find_kind(host)
        return self._kinds_by_host[host]

    def _find_kind(self, host: str) -> str | None:
        brand = self.find_brand(host)
        if brand:
            return SiteKind.OWN if brand.is_own else SiteKind.COMPETITOR
        return next((self._kinds[parent] for parent in list_parent_hosts(host) if parent in self._kinds), None)


def build_sources(
    answers: Sequence[ReportAnswer],
    sources: Iterable[ReportSource],
    queries: Iterable[tuple[str, str]],
    classifier: SiteClassifier,
) -> list[dict[str, Any]]:
    """Return the figures for each surface with a search, in the order of `PlatformSurface`; [] without one.

    queries: (answer, text) of the searches that platforms report.
    """
    sources_by_answer: dict[str, list[ReportSource]] = defaultdict(list)
    for source in sources:
        if source.host:
            sources_by_answer[source.answer].append(source)
    queries_by_answer: dict[str, list[str]] = defaultdict(list)
    for answer_id, text in queries:
        queries_by_answer[answer_id].append(text)
    valid = filter_valid(answers)
    return [
        _build_surface(
            surface,
            [answer for answer in valid if answer.surface == surface],
            sources_by_answer,
            queries_by_answer,
            classifier,
        )
        for surface in PlatformSurface.values
        if surface != PlatformSurface.MEMORY and any(answer.surface == surface for answer in answers)
    ]


def _build_surface(
    surface: str,
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    queries_by_answer: Mapping[str, Sequence[str]],
    classifier: SiteClassifier,
) -> dict[str, Any]:
    platforms = []
    telling: list[ReportAnswer] = []
    for platform in dict.fromkeys(answer.platform for answer in answers):
        group = [answer for answer in answers if answer.platform == platform]
        tells_sources = any(sources_by_answer.get(answer.id) for answer in group)
        telling += group if tells_sources else []
        platforms.append(
            {
                "platform": platform,
                "answers": len(group),
                "tells_sources": tells_sources,
                "tells_citations": any(
                    source.cited != Ternary.UNKNOWN
                    for answer in group
                    for source in sources_by_answer.get(answer.id, ())
                ),
                "tells_queries": any(queries_by_answer.get(answer.id) for answer in group),
                **_count_own_site(group if tells_sources else [], sources_by_answer, classifier),
                "hosts": _count_hosts(group, sources_by_answer, classifier, limit=5) if tells_sources else [],
            }
        )
    # They name a competitor and not the brand.
    gap = [answer for answer in telling if answer.mentioned and classifier.own_brand not in answer.mentioned]
    return {
        "surface": surface,
        "answers": len(telling),
        "answers_untold": len(answers) - len(telling),
        **_count_own_site(telling, sources_by_answer, classifier),
        "kinds": _count_kinds(telling, sources_by_answer, classifier),
        "hosts": _count_hosts(telling, sources_by_answer, classifier, limit=MAX_HOSTS),
        "pages": _count_pages(telling, sources_by_answer, classifier),
        "gap": {
            "answers": len(gap),
            "hosts": _count_hosts(gap, sources_by_answer, classifier, limit=MAX_GAP_HOSTS),
        },
        "queries": _count_queries(telling, queries_by_answer),
        "platforms": platforms,
    }


def _build_share(count: int, total: int, name: str) -> dict[str, Any]:
    low, high = compute_rate_interval(count, total)
    return {name: count, f"{name}_rate": compute_rate(count, total), f"{name}_rate_low": low, f"{name}_rate_high": high}


def _is_cited(source: ReportSource) -> bool:
    return source.cited == Ternary.YES


def _count_own_site(
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    classifier: SiteClassifier,
) -> dict[str, Any]:
    """Count the answers that cite the brand's own site, and those whose sources contain it, cited or not."""
    own = [
        [source for source in sources_by_answer.get(answer.id, ()) if classifier.classify(source.host) == SiteKind.OWN]
        for answer in answers
    ]
    cited = sum(any(map(_is_cited, sources)) for sources in own)
    return {
        **_build_share(cited, len(answers), "own_site_cited"),
        **_build_share(sum(map(bool, own)), len(answers), "own_site_listed"),
    }


def _count_by(
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    get_key: Callable[[ReportSource], str | None],
) -> list[tuple[str, int, int, list[ReportSource]]]:
    """Return (key, answers that list it, answers that cite it, its sources), most cited first, then most listed."""
    listed, cited = Counter[str](), Counter[str]()
    examples: dict[str, list[ReportSource]] = defaultdict(list)
    for answer in answers:
        by_key: dict[str, list[ReportSource]] = defaultdict(list)
        for source in sources_by_answer.get(answer.id, ()):
            key = get_key(source)
            if key is not None:
                by_key[key].append(source)
        for key, sources in by_key.items():
            listed[key] += 1
            cited[key] += any(map(_is_cited, sources))
            examples[key] += sources
    keys = sorted(listed, key=lambda key: (-cited[key], -listed[key], key))
    return [(key, listed[key], cited[key], examples[key]) for key in keys]


def _count_hosts(
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    classifier: SiteClassifier,
    *,
    limit: int,
) -> list[dict[str, Any]]:
    return [
        {
            "host": host,
            "kind": classifier.classify(host),
            "brand": brand.name if (brand := classifier.find_brand(host)) else None,
            "pages": len({source.page for source in sources}),
            **_build_share(listed, len(answers), "listed"),
            **_build_share(cited, len(answers), "cited"),
        }
        for host, listed, cited, sources in _count_by(answers, sources_by_answer, lambda source: source.host)[:limit]
    ]


def _count_pages(
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    classifier: SiteClassifier,
) -> list[dict[str, Any]]:
    counted = _count_by(answers, sources_by_answer, lambda source: source.page or None)
    return [
        {
            "page": page,
            "url": sources[0].url,
            "host": sources[0].host,
            "kind": classifier.classify(sources[0].host),
            "title": next((source.title for source in sources if source.title), ""),
            "listed": listed,
            "cited": cited,
        }
        for page, listed, cited, sources in counted[:MAX_PAGES]
    ]


def _count_kinds(
    answers: Sequence[ReportAnswer],
    sources_by_answer: Mapping[str, Sequence[ReportSource]],
    classifier: SiteClassifier,
) -> list[dict[str, Any]]:
    """Count the answers by kind of site; null is unclassified."""
    unclassified = ""
    counted = _count_by(answers, sources_by_answer, lambda source: classifier.classify(source.host) or unclassified)
    return [
        {
            "kind": kind or None,
            **_build_share(listed, len(answers), "listed"),
            **_build_share(cited, len(answers), "cited"),
        }
        for kind, listed, cited, _sources in counted
    ]


def _count_queries(
    answers: Sequence[ReportAnswer], queries_by_answer: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    counts = Counter(text for answer in answers for text in dict.fromkeys(queries_by_answer.get(answer.id, ())))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"text": text, "answers": count} for text, count in ordered[:MAX_QUERIES]]
