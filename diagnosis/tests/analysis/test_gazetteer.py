"""The file of known brands, and the operators' own beside it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from diagnosis.analysis.matching.gazetteer import get_gazetteer
from diagnosis.analysis.mentions import BrandSpellings, analyse_text


def _own(tmp_path: Path, settings: Any, text: str) -> None:
    file = tmp_path / "brands.toml"
    file.write_text(text, encoding="utf-8")
    settings.KNOWN_BRANDS_FILE = str(file)


def _found(text: str, name: str) -> list[tuple[str, bool]]:
    mentions = analyse_text(text, [BrandSpellings(name, [name])]).mentions
    return [(text[one.start : one.end], one.is_certain) for one in mentions]


def test_every_decoy_holds_a_name_of_its_brand() -> None:
    idle = [
        (brand.name, decoy)
        for brand in get_gazetteer().brands.values()
        for decoy in brand.decoys
        if not any(name in decoy and name != decoy for name in brand.names)
    ]
    assert idle == []


def test_operators_may_add_a_brand_with_its_decoys(tmp_path: Path, settings: Any) -> None:
    assert _found("一盏灯和一盏公道杯", "一盏") == [("一盏", True), ("一盏", True)]
    _own(tmp_path, settings, '["一盏"]\naliases = ["YIZHAN"]\ndecoys = ["一盏灯"]\n[plain]\ntea = ["松间"]')
    assert _found("一盏灯和 yizhan 公道杯", "一盏") == [("yizhan", True)]
    assert _found("小米粥养胃", "小米") == []


def test_operators_may_replace_a_brand(tmp_path: Path, settings: Any) -> None:
    _own(tmp_path, settings, '["小米"]\naliases = ["MI"]')
    assert _found("小米粥养胃", "小米") == [("小米", True)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["一盏"', "brands.toml"),
        ('["一盏"]\naliases = "YIZHAN"', "一盏"),
        ('["一盏"]\nalias = ["YIZHAN"]', "aliases"),
        ('["一盏"]\ndecoys = [" "]', "一盏"),
    ],
)
def test_a_file_that_cannot_be_understood_is_told_with_its_place(
    tmp_path: Path, settings: Any, text: str, said: str
) -> None:
    _own(tmp_path, settings, text)
    with pytest.raises(ImproperlyConfigured, match=said):
        get_gazetteer()
