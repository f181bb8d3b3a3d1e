"""Evidence from the Chinese words beside a name that is also a word."""

import re

from diagnosis.analysis.matching.evidence import CLEAR, STRONG, WEAK, Evidence
from diagnosis.analysis.matching.lexicon import Ambiguity, Segmentation, is_counted_phrase, split_words
from diagnosis.analysis.matching.names import NameMatch

_IS_HAN = re.compile("[\u3400-\u9fff]")
_DEGREE = re.compile(
    r"(?:近乎|几乎|接近|追求|非常|十分|比较|更加|最为|尽善尽|不够|如此|这么|那么|不太|很|更|太|最|较|挺|极|不)$"
)
_VERB_ENDINGS = ("到", "起来", "起", "着", "过", "于", "地")
_WORD_SUFFIXES = ("化", "性", "感", "主义", "们")
_CHOICE = re.compile(
    r"(?:推荐|首推|首选|优选|认准|选|品牌|牌子|国货|国产|竞品|友商|比如|例如|诸如|譬如|[，,、（(：:]如|^如)[：: 「“]?$"
)
_CLAUSE_START = re.compile(r"(?:^|[。！？!?；;：:,，、 \"“「*]) ?$")
_PURCHASE = re.compile("[上里]?(?:买|购|下单|有卖|订)")
_TRIAL = re.compile(r"(?:看看|试试|入手|选择|考虑|可以看|可以买|换成|来自|买|用|上|看)[：: 「“]?$")
_MODEL = re.compile(r"[ -]?(?:[a-z][a-z+]{0,11}[ -]?\d|[a-z]{1,3}\d|[a-z]{2,12})[a-z0-9+]*")
_NUMBER = re.compile(r" ?(\d{1,4})(?![\d.%℃°:])([\u3400-\u9fff]?)")
_UNITS = frozenset("个只条把颗粒斤克元块年月日号天次点分种盏杯头匹位群棵袋盒些万千百岁米度公毫升口口人家座里")


def get_grammar_evidence(segmentation: Segmentation, text: str, match: NameMatch) -> Evidence:
    """Return evidence from the words before and after a Chinese name in a normalized text."""
    if not _IS_HAN.match(text[match.start]):
        return Evidence()
    before, after = text[max(0, match.start - 8) : match.start], text[match.end : match.end + 16]
    return Evidence(
        _get_model_score(after) + _get_choice_score(match, before, after),
        CLEAR * _count_signs_of_word(segmentation, match, before, after),
    )


# A character that makes a simile, a predicate after an adverb, and the particles of classical Chinese.
_SIMILE = re.compile("一般|般|一样|似的")
_COMPLEMENT = re.compile("[得着了过坏翻疯]|开了|起来")
_CLASSICAL_PRONOUN = re.compile("[汝尔君吾公]$")
_OFFICE = "政治家|总统|将军|皇帝|丞相|诗人|演员|歌手|作家|学家|运动员|教练"
_PERSON = re.compile(
    f"(?:{_OFFICE})$"
    "|^(?:计划|定律|定理|主义|效应|先生|女士|教授|博士|本人"
    f"|[^。，！？]{{0,12}}(?:{_OFFICE}|出生|生于|去世|逝世))"
)


def is_phrase_in_text(segmentation: Segmentation, text: str, start: int, end: int) -> bool:
    """Return whether the characters of a Chinese name are words of a phrase: 温暖如家一般, 宜家宜业, 小孩都乐开了花."""
    before, name, after = text[max(0, start - 2) : start], text[start:end], text[end : end + 3]
    if not _IS_HAN.match(name):
        return False
    if len(name) == 2 and after.startswith(name[0]) and segmentation.get_word(end).text == name[0]:
        return split_words(name[0])[0].tag.startswith("v")
    if not _IS_HAN.match(before[-1:]):
        return False
    if split_words(name[0])[0].tag == "d" and _COMPLEMENT.match(after):
        return segmentation.get_word(start - 1).tag[:1] in ("n", "r")
    is_simile = name[0] in "如似若像" and _SIMILE.match(after)
    return bool(is_simile or (name[-1] in "乎矣焉哉" and _CLASSICAL_PRONOUN.search(before)))


def _get_model_score(after: str) -> float:
    """Return the score of a model after the name: 理想L9, 苹果15."""
    number = _NUMBER.match(after)
    is_model = number[2] not in _UNITS if number else bool(_MODEL.match(after))
    return STRONG if is_model else 0.0


def _get_choice_score(match: NameMatch, before: str, after: str) -> float:
    """Return the score of words that recommend, try or buy, and of a place where a subject stands."""
    ambiguity = match.name.ambiguity
    is_chosen = _CHOICE.search(before) or (ambiguity is not Ambiguity.WORD and _TRIAL.search(before))
    may_start = ambiguity in (Ambiguity.PHRASE, Ambiguity.POSSIBLE) and len(match.name.spelling) > 2
    is_subject = may_start and _CLAUSE_START.search(before)
    is_shop = before.endswith("在") and _PURCHASE.match(after)
    return WEAK * bool(is_chosen) + WEAK * bool(is_subject or is_shop)


def _count_signs_of_word(segmentation: Segmentation, match: NameMatch, before: str, after: str) -> int:
    is_verb = segmentation.get_word(match.end - 1).tag[:1] in ("v", "a")
    counts_something = is_counted_phrase(match.name.spelling) and after and segmentation.get_word(match.end).tag == "n"
    return sum(
        map(
            bool,
            (
                _DEGREE.search(before),  # 近乎完美
                _is_counted(segmentation, match.start),  # 一锅豆包
                before.endswith("·"),  # 迈克尔·乔丹
                after.startswith(_WORD_SUFFIXES),  # 大众化
                is_verb and after.startswith(_VERB_ENDINGS),  # 联想到
                counts_something,  # 一盏茶
                match.name.ambiguity is Ambiguity.PERSON and (_PERSON.search(before) or _PERSON.search(after)),
            ),
        )
    )


# Measure words of products: 「一台小米」 may be the brand, 「一把小米」 is not.
_PRODUCT_MEASURES = frozenset("款台部双件家辆瓶支套箱罐间店年月日元次")


def _is_counted(segmentation: Segmentation, start: int) -> bool:
    """Return whether a number with a measure word stands directly before: 一锅豆包."""
    index = segmentation.get_index(start)
    previous, before = segmentation.get_word_at(index - 1), segmentation.get_word_at(index - 2)
    if previous is None or not _IS_HAN.match(previous.text[-1]) or previous.text[-1] in _PRODUCT_MEASURES:
        return False
    is_measure = (
        len(previous.text) == 1
        and previous.tag != "v"
        and before is not None
        and before.tag == "m"
        and bool(_IS_HAN.match(before.text))
    )
    return previous.tag[:1] in ("m", "q") or is_measure


def is_subject(segmentation: Segmentation, text: str, match: NameMatch) -> bool:
    """Return whether a name begins a clause, before an adverb or a preposition: 始祖鸟就不展开了."""
    is_followed = match.end < len(text) and segmentation.get_word(match.end).tag[:1] in ("d", "p")
    return is_followed and bool(_CLAUSE_START.search(text[max(0, match.start - 2) : match.start]))


def is_embedded(text: str, start: int, end: int) -> bool:
    """Return whether Chinese characters stand directly before and after a Chinese name."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return bool(_IS_HAN.match(text[start]) and _IS_HAN.match(before) and _IS_HAN.match(after))


def is_in_title(text: str, start: int) -> bool:
    """Return whether a position is inside the title of a work: 《雷神3》."""
    opening = text.rfind("《", max(0, start - 20), start)
    return opening >= 0 and text.find("》", opening, start) < 0


def get_question_words(question: str) -> frozenset[str]:
    """Return the nouns of a normalized question, which tend to be the category of a product."""
    return frozenset(word.text for word in split_words(question) if word.tag.startswith("n") and len(word.text) > 1)
