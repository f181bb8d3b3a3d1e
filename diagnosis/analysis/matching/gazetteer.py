"""What is known of brands beforehand: brands.toml, and the operators' own file of the same form."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from diagnosis.analysis.matching.normalization import normalize_spelling

BUILT_IN_FILE = Path(__file__).parent / "brands.toml"
_FIELDS = {"aliases", "decoys", "brand_context", "word_context", "ambiguous"}


@dataclass(frozen=True, eq=False)  # the same one while it is the same object
class KnownBrand:
    """A brand as the file tells of it, everything folded but `name`.

    names: every spelling, its name first. decoys: phrases that hold one of them and never mean the brand.
    ambiguous: the names that are ordinary words too; brand_context and word_context: words beside either sense.
    """

    name: str
    names: Sequence[str]
    decoys: Sequence[str] = ()
    ambiguous: frozenset[str] = frozenset()
    brand_context: Sequence[str] = ()
    word_context: Sequence[str] = ()
    # As written, for a name of letters: "Apple" is more of a brand than "apple".
    original_spellings: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Gazetteer:
    """All known brands by name, and what tells a brand beside any ambiguous name."""

    brands: dict[str, KnownBrand]
    brand_context: Sequence[str]
    by_spelling: dict[str, KnownBrand] = field(init=False)

    def __post_init__(self) -> None:
        by_spelling: dict[str, KnownBrand] = {}
        for brand in self.brands.values():
            for name in brand.names:
                by_spelling.setdefault(name, brand)
        object.__setattr__(self, "by_spelling", by_spelling)


def get_gazetteer() -> Gazetteer:
    """The built-in brands, with those of settings.KNOWN_BRANDS_FILE added or in their place."""
    return _load_gazetteer(str(settings.KNOWN_BRANDS_FILE))


@lru_cache
def _load_gazetteer(operators_file: str) -> Gazetteer:
    """Raises ImproperlyConfigured, with the place, for a file that cannot be understood."""
    tables = _read_tables(BUILT_IN_FILE)
    if operators_file:
        operator_tables = _read_tables(Path(operators_file))
        for name, table in operator_tables.items():
            tables[name] = tables.get(name, {}) | table if name in ("common", "plain") else table
    common = tables.pop("common", {})
    plain = tables.pop("plain", {})
    brands = {name: _build_known_brand(name, table) for name, table in tables.items()}
    for known_brand in _parse_plain_brands(plain):
        brands.setdefault(known_brand.name, known_brand)
    return Gazetteer(brands, [normalize_spelling(word) for word in common.get("brand_context", [])])


def _read_tables(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path}: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict) or not all(_is_list_of_strings(value) for value in table.values()):
            raise ImproperlyConfigured(f'{path}: [{name}] must hold lists of texts, such as aliases = ["..."]')
        if name not in ("common", "plain") and not table.keys() <= _FIELDS:
            raise ImproperlyConfigured(f"{path}: [{name}] may hold {', '.join(sorted(_FIELDS))} only")
    return tables


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and normalize_spelling(text) for text in value)


def _build_known_brand(name: str, table: dict[str, list[str]]) -> KnownBrand:
    spellings = [name, *table.get("aliases", [])]
    is_ambiguous = "brand_context" in table or "word_context" in table
    ambiguous = table.get("ambiguous", spellings) if is_ambiguous else []
    return KnownBrand(
        name,
        tuple(dict.fromkeys(map(normalize_spelling, spellings))),
        tuple(map(normalize_spelling, table.get("decoys", []))),
        frozenset(map(normalize_spelling, ambiguous)),
        tuple(map(normalize_spelling, table.get("brand_context", []))),
        tuple(map(normalize_spelling, table.get("word_context", []))),
        frozenset(spellings),
    )


def _parse_plain_brands(table: dict[str, list[str]]) -> Iterator[KnownBrand]:
    for line in (line for lines in table.values() for line in lines):
        spellings = line.split("|")
        yield KnownBrand(
            spellings[0],
            tuple(dict.fromkeys(map(normalize_spelling, spellings))),
            original_spellings=frozenset(spellings),
        )
