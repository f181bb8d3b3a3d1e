"""The names of a workspace: what its runs look for. They are edited as a whole, by names_edit.py."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from diagnosis.analysis.mentions import BrandSpellings, normalize_spelling
from diagnosis.models import MAX_NAME_KEY_LENGTH, NameCandidate, Spelling, TrackedBrand, Workspace

MAX_RIVALS = 10
MAX_SPELLINGS = 20


@dataclass(frozen=True)
class BrandNames:
    """A brand with its other spellings and the hosts of its own sites. id: empty for a new one."""

    name: str
    aliases: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    is_own: bool = False
    id: str = ""

    @property
    def spellings(self) -> tuple[str, ...]:
        """All spellings, the name first."""
        return (self.name, *self.aliases)

    def to_matcher(self) -> BrandSpellings:
        """Return what the matcher looks for."""
        return BrandSpellings(self.name, list(self.spellings))


def build_spelling_key(text: str) -> str:
    """Return what is equal for all texts that the matcher takes for the same spelling."""
    return normalize_spelling(text)[:MAX_NAME_KEY_LENGTH]


def load_names(workspace: Workspace) -> list[BrandNames]:
    """Return the brands, the own one first, in two queries."""
    brands = TrackedBrand.objects.filter(workspace=workspace).prefetch_related("spellings")
    return [
        BrandNames(
            brand.name,
            tuple(row.text for row in brand.spellings.all() if row.text != brand.name),
            tuple(brand.sites),
            brand.is_own,
            str(brand.pk),
        )
        for brand in brands
    ]


def names_to_json(names: Iterable[BrandNames]) -> list[dict[str, Any]]:
    """Return the names as JSON."""
    return [asdict(brand) for brand in names]


def names_from_json(rows: Iterable[dict[str, Any]]) -> list[BrandNames]:
    """Return the names that `names_to_json` has written."""
    return [
        BrandNames(row["name"], tuple(row["aliases"]), tuple(row["sites"]), row["is_own"], row["id"]) for row in rows
    ]


def is_same_counting(one: Iterable[BrandNames], other: Iterable[BrandNames]) -> bool:
    """Return whether both count the same brands by the same spellings, and the same sites as theirs."""
    return _describe_counting(one) == _describe_counting(other)


def _describe_counting(names: Iterable[BrandNames]) -> set[tuple[object, ...]]:
    return {
        (build_spelling_key(brand.name), brand.is_own, frozenset(map(build_spelling_key, brand.spellings)),
         frozenset(brand.sites))
        for brand in names
    }  # fmt: skip


def store_names(workspace: Workspace, names: Sequence[BrandNames]) -> None:
    """Replace the names of a workspace, keeping the ids of brands that remain. The caller has validated them."""
    existing = {str(brand.pk): brand for brand in TrackedBrand.objects.filter(workspace=workspace)}
    kept = {brand.id for brand in names if brand.id in existing}
    if existing:
        removed = [brand for pk, brand in existing.items() if pk not in kept]
        candidates = NameCandidate.objects.filter(brand__in=removed)
        candidates.update(state=NameCandidate.State.NEW, brand=None)
        Spelling.objects.filter(workspace=workspace).delete()
        TrackedBrand.objects.filter(pk__in=[brand.pk for brand in removed]).delete()
    spellings: dict[str, Spelling] = {}
    rows = []
    for position, brand in enumerate(names):
        row = existing[brand.id] if brand.id in kept else TrackedBrand(workspace=workspace)
        if brand.id and brand.id not in kept:
            row.pk = UUID(brand.id)  # an undo brings it back
        row.name, row.sites, row.is_own, row.position = brand.name, list(brand.sites), brand.is_own, position
        rows.append(row)
        for text in brand.spellings:
            key = build_spelling_key(text)
            spellings.setdefault(key, Spelling(workspace=workspace, brand=row, text=text, key=key))
    columns = ["name", "sites", "is_own", "position"]
    TrackedBrand.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    Spelling.objects.bulk_create(spellings.values())
    _settle_candidates(workspace, spellings)


def _settle_candidates(workspace: Workspace, by_key: Mapping[str, Spelling]) -> None:
    """Candidates that have become a spelling are accepted, or merged into another name; others are new again."""
    changed = []
    candidates = NameCandidate.objects.filter(workspace=workspace)
    for candidate in candidates.filter(Q(key__in=by_key) | Q(brand__isnull=False)):
        spelling = by_key.get(candidate.key)
        if spelling is None:
            candidate.state, candidate.brand = NameCandidate.State.NEW, None
        else:
            is_name = spelling.text == spelling.brand.name
            candidate.state = NameCandidate.State.ACCEPTED if is_name else NameCandidate.State.MERGED
            candidate.brand = spelling.brand
        changed.append(candidate)
    if changed:
        NameCandidate.objects.bulk_update(changed, ["state", "brand"])


def adopt_names(workspace: Workspace, names: Sequence[BrandNames]) -> int | None:
    """Return the names' version if an order counts by the workspace's names, else None.

    The first order gives a workspace its names.
    """
    known = load_names(workspace)
    if not known:
        Workspace.objects.select_for_update().get(pk=workspace.pk)  # one of several first orders
        known = load_names(workspace)
    if not known:
        store_names(workspace, names)
        return workspace.names_version
    return workspace.names_version if is_same_counting(known, names) else None


def unite_names(newest_first: Iterable[Sequence[BrandNames]]) -> tuple[list[BrandNames], list[str]]:
    """Return the union of the names of several diagnoses, and the spellings that belonged to two brands.

    The newest wins: a spelling stays with the brand that had it last. More rivals and spellings than a workspace may
    have are dropped, oldest first.
    """
    owners: dict[str, str] = {}  # spelling -> brand
    brands: dict[str, BrandNames] = {}
    clashes: list[str] = []
    for names in newest_first:
        for brand in names:
            own_key = next((key for key, row in brands.items() if row.is_own), None)
            key = own_key if brand.is_own and own_key else owners.get(build_spelling_key(brand.name))
            key = key or build_spelling_key(brand.name)
            if key != build_spelling_key(brand.name) and not brand.is_own:
                clashes.append(brand.name)  # a later diagnosis has it as a spelling of another brand
            known = brands.get(key)
            if known is None and not brand.is_own and sum(not row.is_own for row in brands.values()) >= MAX_RIVALS:
                continue
            texts = list(known.spellings) if known else []
            for text in brand.spellings:
                owner = owners.setdefault(build_spelling_key(text), key)
                if owner != key:
                    clashes.append(text)
                elif build_spelling_key(text) not in map(build_spelling_key, texts):
                    texts.append(text)
            if not texts:
                continue
            brands[key] = BrandNames(
                texts[0],
                tuple(texts[1:MAX_SPELLINGS]),
                tuple(dict.fromkeys([*(known.sites if known else ()), *brand.sites]))[:5],
                bool(known and known.is_own) or brand.is_own,
            )
    return sorted(brands.values(), key=lambda brand: not brand.is_own), list(dict.fromkeys(clashes))
