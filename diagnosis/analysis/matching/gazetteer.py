"""The gazetteer of known brands: brands.toml, and the operators' own file in the same format."""

import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from diagnosis.analysis.matching.normalization import normalize_spelling

BUILT_IN_FILE = Path(__file__).parent / "brands.toml"
_FIELDS = {"aliases", "decoys", "brand_context", "word_context", "ambiguous"}


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a cache key
class KnownBrand:
    """A brand of the file; everything except `name` and `written_names` is normalized.

    names: all spellings, its name first. decoys: phrases that contain a name and never mean the brand.
    ambiguous: names that are also ordinary words; brand_context, word_context: context words of either sense.
    """

    name: str
    names: Sequence[str]
    decoys: Sequence[str] = ()
    ambiguous: frozenset[str] = frozenset()
    brand_context: Sequence[str] = ()
    word_context: Sequence[str] = ()
    # With their case: "Apple" is more likely to mean the brand than "apple".
    written_names: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Gazetteer:
    """All known brands by name, and the context words of any brand."""

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
    """Return the built-in brands, extended and overridden by those of settings.KNOWN_BRANDS_FILE."""
    return _load_gazetteer(str(settings.KNOWN_BRANDS_FILE))


@lru_cache
def _load_gazetteer(operators_file: str) -> Gazetteer:
    """Load both files. Raises ImproperlyConfigured, naming file and table, for an invalid file."""
    tables = _read_tables(BUILT_IN_FILE)
    if operators_file:
        operator_tables = _read_tables(Path(operators_file))
        for name, table in operator_tables.items():
            tables[name] = tables.get(name, {}) | table if name in ("common", "plain") else table
    common = tables.pop("common", {})
    plain = tables.pop("plain", {})
    brands = {name: _build_known_brand(name, table) for name, table in tables.items()}
    for line in itertools.chain.from_iterable(plain.values()):
        name, *aliases = line.split("|")
        brands.setdefault(name, _build_known_brand(name, {"aliases": aliases}))
    return Gazetteer(brands, [normalize_spelling(word) for word in common.get("brand_context", [])])


def _read_tables(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path}: {error}") from error
    for name, table in tables.items():
        is_valid = isinstance(table, dict) and all(
            isinstance(texts, list) and all(isinstance(text, str) and normalize_spelling(text) for text in texts)
            for texts in table.values()
        )
        if not is_valid:
            raise ImproperlyConfigured(f'{path}: [{name}] must contain lists of texts, such as aliases = ["..."]')
        if name not in ("common", "plain") and not table.keys() <= _FIELDS:
            raise ImproperlyConfigured(f"{path}: [{name}] may contain {', '.join(sorted(_FIELDS))} only")
    return tables


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
        tuple(spellings),
    )
