"""Mentions of brands; all offsets are code points of the original answer."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.analysis.matching.normalization import normalize_spelling, normalize_text
from diagnosis.analysis.matching.spellings import join_text
from diagnosis.analysis.mentions import (
    BrandSpellings,
    Mention,
    analyse_text,
    compact_text,
    find_differing_spellings,
    find_mentions,
)


def _brand(name: str, *aliases: str) -> BrandSpellings:
    return BrandSpellings(name, [name, *aliases])


def _find(text: str, *brands: BrandSpellings) -> list[tuple[str, str]]:
    """Return (brand, matched text) in order."""
    return [(mention.brand, text[mention.start : mention.end]) for mention in find_mentions(text, brands)]


def test_mentions_have_their_offsets() -> None:
    text = "先看山岚，再看木石坊；山岚更好。"
    assert find_mentions(text, [_brand("山岚"), _brand("木石坊")]) == [
        Mention("山岚", 2, 4),
        Mention("木石坊", 7, 10),
        Mention("山岚", 11, 13),
    ]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("我推荐 KETTLEWOOD。", "Kettlewood", "KETTLEWOOD"),
        ("我推荐 kettlewood。", "KETTLEWOOD", "kettlewood"),
        ("我推荐Ｋｅｔｔｌｅｗｏｏｄ！", "Kettlewood", "Ｋｅｔｔｌｅｗｏｏｄ"),
        ("我推荐 Kettlewood。", "Ｋｅｔｔｌｅｗｏｏｄ", "Kettlewood"),
        ("ﾃｨｰﾊﾞﾝｸ は安い", "ティーバンク", "ﾃｨｰﾊﾞﾝｸ"),
        ("STRASSE 7", "Straße", "STRASSE"),
        ("Straße 7", "STRASSE", "Straße"),
        ("ИКЕА дешевле", "икеа", "ИКЕА"),
    ],
)
def test_width_and_case_are_ignored(text: str, name: str, words: str) -> None:
    assert _find(text, _brand(name)) == [(name, words)]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("Nestle\u0301 ist teuer", "Nestl\u00e9", "Nestle\u0301"),
        ("Nestl\u00e9 ist teuer", "Nestle\u0301", "Nestl\u00e9"),
        ("\u1112\u1161\u11ab\u110c\u1175 추천", "한지", "\u1112\u1161\u11ab\u110c\u1175"),
        ("か\u3099く店", "がく", "か\u3099く"),
    ],
)
def test_composed_and_decomposed_letters_are_equal(text: str, name: str, words: str) -> None:
    assert _find(text, _brand(name)) == [(name, words)]


@pytest.mark.parametrize("text", ["Nestle\u0301", "Nestl\u00e9", "Nestle"])
@pytest.mark.parametrize("name", ["Nestl\u00e9", "Nestle\u0301"])
def test_accents_of_letters_are_ignored(text: str, name: str) -> None:
    assert _find(f"买{text}。", _brand(name)) == [(name, text)]


@pytest.mark.parametrize(
    "text",
    ["山\u200b岚", "山\u00ad岚", "山\ufeff岚", "\u200f山岚", "山岚\ufe0f", "Le\u00a0Creuset", "Le\u3000\nCreuset"],
)
def test_invisible_characters_are_ignored(text: str) -> None:
    ((_brand_name, words),) = _find(f"看{text}吧", _brand("山岚", "Le Creuset"))
    assert unicodedata.normalize("NFKC", words).strip("\u200f\ufe0f").startswith(("山", "Le"))


@pytest.mark.parametrize(
    "text",
    [
        "xhoka time",
        "somehoka",
        "hoka2x7q",
        "2hoka",
        "ｈｏｋａｅｖｅｒ",
        "Shokaé",
        "hokaé",
        "éhoka",
        "hokaж",
    ],
)
def test_alphabetic_name_inside_a_word_is_no_mention(text: str) -> None:
    assert _find(text, _brand("Hoka")) == []


@pytest.mark.parametrize("text", ["用hoka好", "hoka", "(hoka)", "hoka's", "hoka-to", "hoka×山岚", "“hoka”", "*hoka*"])
def test_alphabetic_name_next_to_other_characters_is_a_mention(text: str) -> None:
    assert [brand for brand, _words in _find(text, _brand("Hoka"))] == ["Hoka"]


def test_chinese_name_needs_no_word_boundary() -> None:
    assert _find("山岚牌手冲壶", _brand("山岚")) == [("山岚", "山岚")]


@pytest.mark.parametrize("name", ["C++", ".NET", "7-Eleven", "(A)", "a|b", "[x]", "$", "\\d+", "Dr. Martens", "a*"])
def test_special_characters_in_a_name_are_literal(name: str) -> None:
    assert _find(f"试试 {name} 吧，别试 d7 xx", _brand(name)) == [(name, name)]


def test_of_overlapping_names_the_first_then_the_longest_wins() -> None:
    assert _find("云栖壶和云栖", _brand("云栖"), _brand("云栖壶")) == [("云栖壶", "云栖壶"), ("云栖", "云栖")]
    assert _find("松间集半日闲", _brand("间集半"), _brand("松间集")) == [("松间集", "松间集")]
    assert _find("Kettle Pie and Kettle", _brand("Kettle"), _brand("Kettle Pie")) == [
        ("Kettle Pie", "Kettle Pie"),
        ("Kettle", "Kettle"),
    ]
    assert _find("Kettle Pies", _brand("Kettle"), _brand("Kettle Pie")) == [("Kettle Pie", "Kettle Pie")]


def test_alias_counts_for_its_brand() -> None:
    assert _find("KW 和 山岚茶器", _brand("Kettlewood", "KW"), _brand("山岚", "山岚茶器")) == [
        ("Kettlewood", "KW"),
        ("山岚", "山岚茶器"),
    ]


def test_spelling_of_two_brands_counts_for_the_first() -> None:
    assert _find("KW 不错", _brand("Kettlewood", "KW"), _brand("Kiwi", "kw")) == [("Kettlewood", "KW")]


def test_offsets_are_code_points_of_the_original_text() -> None:
    text = "👨‍👩‍👧推荐🍵ｂｙ㍿山岚。𠮷野家"
    mentions = find_mentions(text, [_brand("山岚"), _brand("𠮷野家")])
    assert [text[mention.start : mention.end] for mention in mentions] == ["山岚", "𠮷野家"]
    assert mentions[0].start == text.index("山岚")


def test_part_of_a_character_is_no_mention() -> None:
    assert _find("㍿山岚", _brand("会社")) == []
    assert _find("㍿山岚", _brand("株式会社山岚")) == [("株式会社山岚", "㍿山岚")]
    assert _find("か\u3099店", _brand("か")) == []


def test_empty_spellings_match_nothing() -> None:
    assert _find("山岚") == []
    assert _find("山岚", BrandSpellings("空", ["", " ", "\u200b", "\u3000"])) == []
    assert _find("", _brand("山岚")) == []


def test_long_answer_with_many_brands() -> None:
    brands = [BrandSpellings(f"b{number}", [f"品牌{number}{index}" for index in range(11)]) for number in range(11)]
    text = "品牌" * 5000 + "品牌00。" + "a" * 9000 + "e\u0301" * 500
    assert [mention.brand for mention in find_mentions(text, brands)] == ["b0"]


# Characters that change length, combine, join or disappear in normalization.
_UNUSUAL = st.sampled_from("aAéＡａßẞſKﬁ①㍿ｶﾞがか\u3099\u0301\u200b\u200d\u00ad\ufe0f İıΣςσ山岚🍵👨🏽\n\u3000.-7१\x00")
_TEXT = st.text(_UNUSUAL | st.characters(codec="utf-8"), max_size=60)
_NAME = st.text(_UNUSUAL | st.characters(codec="utf-8"), min_size=1, max_size=5)


def _normalize_joined(spelling: str) -> str:
    joined = join_text(normalize_text(spelling))
    return joined.text if joined else normalize_spelling(spelling)


@given(_TEXT, st.lists(st.lists(_NAME, min_size=1, max_size=3), min_size=1, max_size=4))
def test_mentions_are_ordered_disjoint_and_spell_their_brand(text: str, spellings: list[list[str]]) -> None:
    brands = [BrandSpellings(f"b{number}", names) for number, names in enumerate(spellings)]
    by_name = {brand.name: {_normalize_joined(name) for name in brand.spellings} for brand in brands}
    end = 0
    for mention in find_mentions(text, brands):
        assert end <= mention.start < mention.end <= len(text)
        end = mention.end
        assert _normalize_joined(text[mention.start : mention.end]) in by_name[mention.brand]


@given(st.text(st.sampled_from("山岚木石 ，。🍵éＡ"), max_size=20), st.sampled_from(["山岚", "Kettlewood", "é店"]))
def test_name_between_punctuation_is_always_found(around: str, name: str) -> None:
    text = f"{around}。{name}。{around}"
    assert len(around) + 1 in [mention.start for mention in find_mentions(text, [_brand(name)])]


@given(st.text(max_size=200), st.lists(st.text(max_size=10), max_size=5))
def test_any_text_is_accepted(text: str, names: list[str]) -> None:
    find_mentions(text, [BrandSpellings("b", names)])


# Input that is hard to type but that a platform can send.
_ADVERSARIAL_PIECES = st.sampled_from("\x00\ud800\udfff\u202e\u200f👨‍👩‍👧🏽מותגماركة國蘋\n.-@/:") | st.sampled_from(
    ["苹果", "小米粥", "老板娘", "理想的", "https://", "www.mi.com/", "Apple", "ＡＰＰＬＥ", "手机", "水果", "。"]
)
_BRANDS = [_brand(name) for name in ("苹果", "小米", "老板", "理想", "大众", "Apple Music", "國")]


@given(st.lists(_ADVERSARIAL_PIECES | st.characters(), max_size=40).map("".join), st.text(max_size=20))
def test_offsets_are_exact_in_adversarial_texts(text: str, question: str) -> None:
    end = 0
    for mention in analyse_text(text, _BRANDS, question).mentions:
        assert end <= mention.start < mention.end <= len(text)
        end = mention.end
        alone = analyse_text(text[mention.start : mention.end], _BRANDS).mentions
        assert [(other.brand, other.start, other.end) for other in alone] == [
            (mention.brand, 0, mention.end - mention.start)
        ]


def test_cited_domains_are_separate_from_mentions() -> None:
    text = "小米和 vivo 手机可以看 https://www.mi.com/小米14 与 Notebookcheck.net。"
    analysis = analyse_text(text, [_brand("小米")])
    assert [(mention.start, mention.end) for mention in analysis.mentions] == [(0, 2)]
    assert (analysis.others, analysis.domains) == (["vivo"], ["mi.com", "notebookcheck.net"])


def test_lone_surrogates_are_no_part_of_a_name() -> None:
    text = "\ud800小米\udfff手机"
    analysis = analyse_text(text, [_brand("小米")], question="\ud800")
    assert analysis.mentions == [Mention("小米", 1, 3)]


Brands = list[tuple[str, list[str]]]
CHANGES: list[tuple[Brands, Brands]] = [
    ([("山岚", [])], [("山岚", ["Shan-Lan"])]),
    ([("山岚", []), ("木石坊", [])], [("山岚", ["木石坊"])]),
    ([("山岚", ["小米"])], [("山岚", [])]),
    ([("山岚", [])], [("山岚", ["华为"])]),
    ([("苹果", [])], [("水果", []), ("苹果", [])]),
    ([("nestle", [])], [("Nestlé", [])]),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_only_texts_with_a_differing_spelling_are_read_differently(before: Brands, after: Brands) -> None:
    old, new = ([_brand(name, *aliases) for name, aliases in brands] for brands in (before, after))
    names = ["山岚", "ShanLan", "木石坊", "小米", "Xiaomi", "华为", "HUAWEI", "苹果", "Apple", "nestle", "Nestlé"]
    texts = [f"推荐{one}，{other}的手机也不错。" for one in names for other in names] + ["没有品牌。"]
    spellings = {compact_text(spelling) for spelling in find_differing_spellings(old, new)}
    assert spellings
    unchanged = [text for text in texts if not any(spelling in compact_text(text) for spelling in spellings)]
    assert unchanged
    for text in unchanged:
        assert analyse_text(text, old) == analyse_text(text, new)
