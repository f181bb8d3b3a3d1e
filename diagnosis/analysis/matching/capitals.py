"""Evidence from capitals, for names in letters that are also words: On, Square, Apple."""

import re
import unicodedata

from diagnosis.analysis.matching.evidence import CLEAR, STRONG, WEAK, Evidence
from diagnosis.analysis.matching.lexicon import is_english_word, is_longer_name
from diagnosis.analysis.matching.names import MAX_ACRONYM_LENGTH, NameMatch
from diagnosis.analysis.matching.normalization import NormalizedText

_NEAR = 60  # characters on each side that are looked at
_POSSESSIVE_OR_VERB = re.compile(
    r"['’]s\s|\s(?:is|isn't|was|has|have|offers?|makes?|sells?|costs?|provides?|lets|also|remains|uses|builds|runs|does|"
    r"comes|supports|focuses|stands|wins|leads|keeps|gives|works)\b"
)
_AFTER_VERB = re.compile(
    r"\s(?:the|a|an|your|my|his|her|their|our|its|them|it|this|that|these|those|with|to|up|out|of|in|at|on)\b"
)
# A sentence may begin with these and a verb: "This is", "All have".
_PRONOUNS = frozenset(
    {"this", "that", "all", "both", "each", "some", "one", "it", "what", "who", "which", "there", "here"}
)
_PREVIOUS_WORD = re.compile(r"([A-Za-z][\w'’-]*)\s$")
_NEXT_WORD = re.compile(r"\s([A-Za-z][\w'’-]*)")
# "Costa del Sol", "Marshall Islands": places and what is named after a person.
_REST_OF_OTHER_NAME = re.compile(
    r"\s(?:(?:del|de la|de los|della|do|dos)\s[A-Z]"
    r"|(?:Act|Avenue|Bay|Bridge|County|Creek|Fjord|Island|Islands|Lake|Memorial|Mountain|Mountains|Peninsula|Plan|River|"
    r"Road|Street|Theorem|Treaty|University|Valley)\b)"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?。！？;；:：\n|*#>•·(（\"“”]|\d[.)]|\s-)\s*$")
_HAN = re.compile("[\u3400-\u9fff]")


def get_case_evidence(normalized: NormalizedText, match: NameMatch, *, is_neighbour_named: bool) -> Evidence:
    """Return the evidence for a name in letters. is_neighbour_named: another brand stands in the sentence."""
    start, end = normalized.get_original_range(match.start, match.end)
    text = normalized.original
    written = unicodedata.normalize("NFKC", text[start:end])
    if not match.name.spelling.isascii() or not any(character.isalpha() for character in written):
        return Evidence()
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    if _REST_OF_OTHER_NAME.match(after):
        return Evidence(0.0, STRONG)
    is_chinese = bool(_HAN.search(before[-12:]) or _HAN.search(after[:12]))
    return (
        _get_acronym_evidence(match.name.written, written, before, is_chinese=is_chinese)
        or _get_lower_case_evidence(match.name.written, written, is_chinese=is_chinese)
        or (Evidence(CLEAR) if is_chinese else None)
        or _get_longer_name_evidence(before, after, written, is_neighbour_named=is_neighbour_named)
        or (
            _get_evidence_at_sentence_start(match.name.written, written, after)
            if _SENTENCE_START.search(before)
            else None
        )
        or Evidence(CLEAR)
    )


def _get_acronym_evidence(own: str, written: str, before: str, *, is_chinese: bool) -> Evidence | None:
    if len(own) > MAX_ACRONYM_LENGTH or not own.isupper():
        return None
    if re.search(r"\d\s?$", before):
        return Evidence(0.0, STRONG)  # 100 mg
    is_other_case = written != own and (not written.islower() or not is_chinese)
    return Evidence(0.0, CLEAR) if is_other_case else None  # a Mac, "im here"


def _get_lower_case_evidence(own: str, written: str, *, is_chinese: bool) -> Evidence | None:
    if not written.islower():
        return None
    if not own.islower():
        return Evidence(0.0, WEAK if is_chinese else STRONG)
    return Evidence(WEAK) if is_chinese else Evidence(0.0, CLEAR)


def _get_longer_name_evidence(before: str, after: str, written: str, *, is_neighbour_named: bool) -> Evidence | None:
    """Return evidence from a capitalized word beside the name: Times Square, Costa Rica, Choosing The Right Fit."""
    following, previous = _NEXT_WORD.match(after), _PREVIOUS_WORD.search(before)
    if (following and is_longer_name(f"{written} {following[1]}")) or (
        previous and is_longer_name(f"{previous[1]} {written}")
    ):
        return Evidence(0.0, STRONG)
    if is_neighbour_named or not previous or not previous[1][0].isupper() or previous[1].isupper():
        return None
    begins_sentence = _SENTENCE_START.search(before[: previous.start()])
    return None if begins_sentence and is_english_word(previous[1].lower()) else Evidence(WEAK, WEAK)


def _get_evidence_at_sentence_start(own: str, written: str, after: str) -> Evidence:
    """Return evidence where any word has a capital."""
    is_compound = " " in written and all(word[:1].isupper() for word in written.split())
    if is_compound or (written == own and written != written.capitalize()):
        return Evidence(CLEAR)
    if after.startswith("s"):
        return Evidence(0.0, WEAK)  # "Apples keep well"
    if _AFTER_VERB.match(after):
        return Evidence(0.0, CLEAR)  # "Converse with them"
    return Evidence(1.0 if _POSSESSIVE_OR_VERB.match(after) and written.lower() not in _PRONOUNS else 0.0)
