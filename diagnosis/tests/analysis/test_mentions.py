"""Which brands an answer names, and where: every offset counts code points of the answer as it was given."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC

from diagnosis.analysis.mentions import BrandSpellings, Mention, analyse_text, find_mentions


def _brand(name: str, *aliases: str) -> BrandSpellings:
    return BrandSpellings(name, [name, *aliases])


def _found(text: str, *brands: BrandSpellings) -> list[tuple[str, str]]:
    """(brand, the words that name it) in order."""
    return [(mention.brand, text[mention.start : mention.end]) for mention in find_mentions(text, brands)]


def test_each_mention_is_told_with_its_place() -> None:
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
def test_width_and_case_do_not_matter(text: str, name: str, words: str) -> None:
    assert _found(text, _brand(name)) == [(name, words)]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("Nestle\u0301 ist teuer", "Nestl\u00e9", "Nestle\u0301"),
        ("Nestl\u00e9 ist teuer", "Nestle\u0301", "Nestl\u00e9"),
        ("\u1112\u1161\u11ab\u110c\u1175 추천", "한지", "\u1112\u1161\u11ab\u110c\u1175"),
        ("か\u3099く店", "がく", "か\u3099く"),
    ],
)
def test_composed_and_decomposed_letters_are_the_same(text: str, name: str, words: str) -> None:
    assert _found(text, _brand(name)) == [(name, words)]


@pytest.mark.parametrize("text", ["Nestle\u0301", "Nestl\u00e9"])
def test_a_name_without_its_accent_is_another_name(text: str) -> None:
    assert _found(f"{text} ist teuer", _brand("Nestle")) == []


@pytest.mark.parametrize(
    "text",
    ["山\u200b岚", "山\u00ad岚", "山\ufeff岚", "\u200f山岚", "山岚\ufe0f", "Le\u00a0Creuset", "Le\u3000\nCreuset"],
)
def test_what_is_not_seen_does_not_hide_a_name(text: str) -> None:
    ((_brand_name, words),) = _found(f"看{text}吧", _brand("山岚", "Le Creuset"))
    assert unicodedata.normalize("NFKC", words).strip("\u200f\ufe0f").startswith(("山", "Le"))


@pytest.mark.parametrize(
    "text",
    [
        "chow time",
        "somehow",
        "how2",
        "2how",
        "ｈｏｗｅｖｅｒ",
        "Showé",
        "howé",
        "éhow",
        "howж",
    ],
)
def test_an_alphabetic_name_inside_a_longer_word_is_no_mention(text: str) -> None:
    assert _found(text, _brand("How")) == []


@pytest.mark.parametrize("text", ["用how好", "how", "(how)", "how's", "how-to", "how×山岚", "“how”", "how。", "*how*"])
def test_an_alphabetic_name_beside_anything_else_is_one(text: str) -> None:
    assert [brand for brand, _words in _found(text, _brand("How"))] == ["How"]


def test_a_chinese_name_needs_no_boundary() -> None:
    assert _found("山岚牌手冲壶", _brand("山岚")) == [("山岚", "山岚")]


@pytest.mark.parametrize("name", ["C++", ".NET", "7-Eleven", "(A)", "a|b", "[x]", "$", "\\d+", "Dr. Martens", "a*"])
def test_signs_in_a_name_stand_for_themselves(name: str) -> None:
    assert _found(f"试试 {name} 吧，别试 d7 xx", _brand(name)) == [(name, name)]


def test_where_names_overlap_the_first_and_then_the_longest_counts() -> None:
    assert _found("云栖壶和云栖", _brand("云栖"), _brand("云栖壶")) == [("云栖壶", "云栖壶"), ("云栖", "云栖")]
    assert _found("松间集半日闲", _brand("间集半"), _brand("松间集")) == [("松间集", "松间集")]
    assert _found("Kettle Pie and Kettle", _brand("Kettle"), _brand("Kettle Pie")) == [
        ("Kettle Pie", "Kettle Pie"),
        ("Kettle", "Kettle"),
    ]
    assert _found("Kettle Pies", _brand("Kettle"), _brand("Kettle Pie")) == [("Kettle", "Kettle")]


def test_an_alias_counts_for_its_brand() -> None:
    assert _found("KW 和 山岚茶器", _brand("Kettlewood", "KW"), _brand("山岚", "山岚茶器")) == [
        ("Kettlewood", "KW"),
        ("山岚", "山岚茶器"),
    ]


def test_a_spelling_that_two_brands_claim_is_the_first_ones() -> None:
    assert _found("KW 不错", _brand("Kettlewood", "KW"), _brand("Kiwi", "kw")) == [("Kettlewood", "KW")]


def test_offsets_count_code_points_after_emoji_and_wide_text() -> None:
    text = "👨‍👩‍👧推荐🍵ｂｙ㍿山岚。𠮷野家"
    found = find_mentions(text, [_brand("山岚"), _brand("𠮷野家")])
    assert [text[mention.start : mention.end] for mention in found] == ["山岚", "𠮷野家"]
    assert found[0].start == text.index("山岚")


def test_a_part_of_one_character_is_no_mention() -> None:
    assert _found("㍿山岚", _brand("会社")) == []
    assert _found("㍿山岚", _brand("株式会社")) == [("株式会社", "㍿")]
    assert _found("x\u0301 marks", _brand("x")) == []


def test_no_brands_or_empty_spellings_find_nothing() -> None:
    assert _found("山岚") == []
    assert _found("山岚", BrandSpellings("空", ["", " ", "\u200b", "\u3000"])) == []
    assert _found("", _brand("山岚")) == []


def test_a_long_answer_with_many_brands_is_searched_quickly() -> None:
    brands = [BrandSpellings(f"b{number}", [f"品牌{number}{index}" for index in range(11)]) for number in range(11)]
    text = "品牌" * 5000 + "品牌00。" + "a" * 9000 + "e\u0301" * 500
    assert [mention.brand for mention in find_mentions(text, brands)] == ["b0"]


# Letters that fold, widen, combine, join and disappear.
_ODD = st.sampled_from("aAéＡａßẞſKﬁ①㍿ｶﾞがか\u3099\u0301\u200b\u200d\u00ad\ufe0f İıΣςσ山岚🍵👨🏽\n\u3000.-7१\x00")
_TEXT = st.text(_ODD | st.characters(codec="utf-8"), max_size=60)
_NAME = st.text(_ODD | st.characters(codec="utf-8"), min_size=1, max_size=5)


_to_simplified = OpenCC("t2s").convert


def _folded(text: str) -> str:
    """The same in one line, for whole strings: compatible forms, cases and what is not seen, Unicode's own way."""
    visible = "".join(
        character
        for character in unicodedata.normalize("NFKD", text)
        if unicodedata.category(character) != "Cf" and not "\ufe00" <= character <= "\ufe0f"
    )
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", visible).casefold())
    return " ".join("".join(map(_to_simplified, folded)).split())


@given(_TEXT, st.lists(st.lists(_NAME, min_size=1, max_size=3), min_size=1, max_size=4))
def test_mentions_are_in_order_in_range_apart_and_spell_their_brand(text: str, spellings: list[list[str]]) -> None:
    brands = [BrandSpellings(f"b{number}", names) for number, names in enumerate(spellings)]
    by_name = {brand.name: {_folded(name) for name in brand.spellings} for brand in brands}
    end = 0
    for mention in find_mentions(text, brands):
        assert end <= mention.start < mention.end <= len(text)
        end = mention.end
        assert _folded(text[mention.start : mention.end]) in by_name[mention.brand]


@given(st.text(st.sampled_from("山岚木石 ，。🍵éＡ"), max_size=20), st.sampled_from(["山岚", "Kettlewood", "é店"]))
def test_a_name_between_two_marks_is_always_found(around: str, name: str) -> None:
    text = f"{around}。{name}。{around}"
    assert len(around) + 1 in [mention.start for mention in find_mentions(text, [_brand(name)])]


@given(st.text(max_size=200), st.lists(st.text(max_size=10), max_size=5))
def test_nothing_that_can_be_typed_raises(text: str, names: list[str]) -> None:
    find_mentions(text, [BrandSpellings("b", names)])


# What a person can hardly type, and a platform can send.
_RUDE = st.sampled_from("\x00\ud800\udfff\u202e\u200f👨‍👩‍👧🏽מותגماركة國蘋\n.-@/:") | st.sampled_from(
    ["苹果", "小米粥", "老板娘", "理想的", "https://", "www.mi.com/", "Apple", "ＡＰＰＬＥ", "手机", "水果", "。"]
)
_BRANDS = [_brand(name) for name in ("苹果", "小米", "老板", "理想", "大众", "Apple Music", "國")]


@given(st.lists(_RUDE | st.characters(), max_size=40).map("".join), st.text(max_size=20))
def test_places_are_exact_and_apart_whatever_the_text(text: str, question: str) -> None:
    end = 0
    for mention in analyse_text(text, _BRANDS, question).mentions:
        assert end <= mention.start < mention.end <= len(text)
        end = mention.end
        alone = analyse_text(text[mention.start : mention.end], _BRANDS).mentions
        assert [(one.brand, one.start, one.end) for one in alone] == [(mention.brand, 0, mention.end - mention.start)]


def test_what_the_answer_cites_is_told_apart_from_what_it_names() -> None:
    text = "小米和 vivo 手机可以看 https://www.mi.com/小米14 与 Notebookcheck.net。"
    found = analyse_text(text, [_brand("小米")])
    assert [(one.start, one.end) for one in found.mentions] == [(0, 2)]
    assert (found.others, found.domains) == (["vivo"], ["mi.com", "notebookcheck.net"])
