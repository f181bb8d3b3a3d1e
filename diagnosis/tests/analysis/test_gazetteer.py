"""The gazetteer of known brands, and the operators' own file."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from diagnosis.analysis.matching.gazetteer import get_gazetteer
from diagnosis.analysis.mentions import BrandSpellings, analyse_text


def _write_operators_file(tmp_path: Path, settings: Any, text: str) -> None:
    path = tmp_path / "brands.toml"
    path.write_text(text, encoding="utf-8")
    settings.KNOWN_BRANDS_FILE = str(path)


def _find_mentions(text: str, name: str) -> list[tuple[str, bool]]:
    mentions = analyse_text(text, [BrandSpellings(name, [name])]).mentions
    return [(text[mention.start : mention.end], mention.is_certain) for mention in mentions]


def test_every_decoy_contains_a_name_of_its_brand() -> None:
    useless = [
        (brand.name, decoy)
        for brand in get_gazetteer().brands.values()
        for decoy in brand.decoys
        if not any(name in decoy and name != decoy for name in brand.names)
    ]
    assert useless == []


def test_operators_can_add_a_brand_with_decoys(tmp_path: Path, settings: Any) -> None:
    assert _find_mentions("云栖灯和云栖公道杯", "云栖") == [("云栖", True), ("云栖", True)]
    _write_operators_file(
        tmp_path, settings, '["云栖"]\naliases = ["YUNQI"]\ndecoys = ["云栖灯"]\n[plain]\ntea = ["松间"]'
    )
    assert _find_mentions("云栖灯和 yunqi 公道杯", "云栖") == [("yunqi", True)]
    assert _find_mentions("小米粥养胃", "小米") == []


def test_operators_can_replace_a_brand(tmp_path: Path, settings: Any) -> None:
    _write_operators_file(tmp_path, settings, '["九阳"]\naliases = ["JY"]')
    assert _find_mentions("张无忌练的是九阳神功", "九阳") == [("九阳", True)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["一盏"', "brands.toml"),
        ('["一盏"]\naliases = "YIZHAN"', "一盏"),
        ('["一盏"]\nalias = ["YIZHAN"]', "aliases"),
        ('["一盏"]\ndecoys = [" "]', "一盏"),
    ],
)
def test_invalid_file_is_rejected_with_its_location(tmp_path: Path, settings: Any, text: str, message: str) -> None:
    _write_operators_file(tmp_path, settings, text)
    with pytest.raises(ImproperlyConfigured, match=message):
        get_gazetteer()
