"""Brands that nobody listed, guessed from the structure of an answer."""

import pytest

from diagnosis.analysis.mentions import BrandSpellings, analyse_text


def _discover(text: str, question: str = "哪个牌子好？") -> list[str]:
    return analyse_text(text, [BrandSpellings("山岚", ["山岚"])], question).discovered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. Kettlewood 2. 一盏", ["Kettlewood", "一盏"]),
        ("1. **山岚**：扎实\n2. **Kettlewood K3**（¥899）：准\n3. **木石坊**：好看", ["Kettlewood", "木石坊"]),
        ("| 品牌 | 价格 |\n|---|---|\n| 云栖壶 | 399 |\n| 青禾器 | 299 |", ["云栖壶", "青禾器"]),
        ("常见的有山岚、云栖壶、木石坊等。", ["云栖壶", "木石坊"]),
        ("### 1. 山岚\n冻干\n### 2. 隅田川\n挂耳\n### 选购建议\n看烘焙度", ["隅田川"]),
    ],
)
def test_brands_are_guessed_from_lists(text: str, expected: list[str]) -> None:
    assert _discover(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "选购建议：\n1. 容量：600ml\n2. 材质：不锈钢\n3. 控温：精准",
        "- 价格\n- 售后\n- 性价比",
        "### Key features\n- Temperature control\n- Gooseneck spout",
        "| 参数 | 数值 |\n|---|---|\n| 容量 | 600 |\n| 重量 | 1.2 |",
        "预算、容量、材质都要看。",
        "",
    ],
)
def test_ordinary_words_are_no_brands(text: str) -> None:
    assert _discover(text) == []


def test_tracked_and_known_brands_are_not_repeated() -> None:
    analysis = analyse_text("1. 山岚\n2. 小米\n3. 木石坊", [BrandSpellings("山岚", ["山岚"])], "")
    assert (analysis.others, analysis.discovered) == (["小米"], ["木石坊"])
