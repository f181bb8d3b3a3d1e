"""Find web and mail addresses: a name inside one is no mention, and the hosts are the cited domains."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_HAN = "\u3400-\u9fff"
# Printable ASCII except what ends an address in prose. Chinese only directly after a separator: it belongs to
# 「…/wiki/苹果」, but not to the address when it follows 「…mi.com」.
# Another address may follow without a space.
_URL_PATH = rf"(?:(?!https?://)[A-Za-z0-9\-._~:/?#@!$&*+,;=%]|(?<=[/=_#+-])[{_HAN}]+)*"
_DOMAIN_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,62})"
_TOP_LEVEL_DOMAINS = (
    "com|cn|net|org|io|ai|co|cc|tv|me|app|dev|info|shop|store|top|xyz|hk|tw|jp|kr|uk|de|fr|us|eu|gov|edu"
)
_HOST = rf"(?:{_DOMAIN_LABEL}\.){{1,8}}(?:{_TOP_LEVEL_DOMAINS})"
_ADDRESS = re.compile(
    rf"(?P<scheme>https?://)(?P<full>[^\s/?#<>()\[\]{{}}\"'`，。；、！？（）【】《》「」“”*]{{1,253}})(?:[/?#]{_URL_PATH})?"
    rf"|(?<![a-z0-9@.\-_])(?P<mail>[a-z0-9._%+-]{{1,64}}@)(?:{_DOMAIN_LABEL}\.){{1,8}}[a-z]{{2,24}}(?![a-z0-9-])"
    rf"|(?<![a-z0-9@\-_])(?P<bare>{_HOST})(?![a-z0-9_-])(?::\d{{1,5}})?(?:[/?#]{_URL_PATH})?",
    re.IGNORECASE | re.ASCII,
)
_TRAILING_PUNCTUATION = ".,;:!?*_~'-"
# Labels of any script, the last one of letters; Chinese directly after an ASCII one belongs to the sentence.
_HOST_START = re.compile(
    r"(?:[A-Za-z0-9._~%-]+(?::[^@]*)?@)?(?:[^\W_][\w-]*\.)+(?:[A-Za-z][A-Za-z0-9-]+|[^\W\d_A-Za-z]{2,8})|[\d.:]+"
)
_IP_ADDRESS = re.compile(r"[\d.]+")
_VERSION = re.compile(r"v?\d+\.[a-z]+", re.IGNORECASE)
_CAPITAL_TOP_LEVEL_DOMAINS = frozenset({"COM", "CN", "ORG", "EDU", "GOV"})


@dataclass(frozen=True)
class Address:
    """An address at [start, end). host: in lower case without "www.", empty for mail and invalid hosts."""

    start: int
    end: int
    host: str

    @classmethod
    def from_match(cls, match: re.Match[str]) -> Self:
        """Return the address of a match of `_ADDRESS`."""
        start, matched_text = match.start(), match.group()
        if match["mail"]:
            return cls(start, match.end(), "")
        host = match["bare"]
        if match["full"]:
            # Chinese text directly after a host belongs to the sentence.
            host_match = _HOST_START.match(match["full"])
            host = host_match.group() if host_match else ""
            matched_text = matched_text if host == match["full"] else match["scheme"] + host
        end = start + len(matched_text.rstrip(_TRAILING_PUNCTUATION))
        host = host.rpartition("@")[2].partition(":")[0].strip(_TRAILING_PUNCTUATION).lower().removeprefix("www.")
        is_domain = "." in host and not _IP_ADDRESS.fullmatch(host)
        return cls(start, end, host if is_domain else "")


def find_addresses(text: str) -> list[Address]:
    """Return all addresses in order: with a scheme, of mail, or a bare host under a well-known top-level domain."""
    if "." not in text and "://" not in text:
        return []
    return [Address.from_match(match) for match in _ADDRESS.finditer(text) if not _is_product(match)]


def _is_product(match: re.Match[str]) -> bool:
    """Return whether what looks like a host is the name of a technology or a version: ASP.NET, Socket.IO, v2.top."""
    host = match["bare"]
    if not host or host != match.group() or host.lower().startswith("www."):
        return False
    top_level_domain = host.rpartition(".")[2]
    is_capital = top_level_domain.isupper() and top_level_domain not in _CAPITAL_TOP_LEVEL_DOMAINS
    return is_capital or bool(_VERSION.fullmatch(host))


def get_cited_domains(addresses: Iterable[Address]) -> list[str]:
    """Return the hosts of web addresses, each once, in order of appearance."""
    return list(dict.fromkeys(address.host for address in addresses if address.host))
