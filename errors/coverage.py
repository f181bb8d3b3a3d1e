"""Whether every code has words, in every locale, that can be shown: in the code, and in the table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from errors.codes import SPECS, ErrorCode
from errors.copy import COPY
from errors.exceptions import AppError
from errors.placeholders import names_in
from errors.words import TEXT_FIELDS, Words, builtin_words, faults_of, words_of


@dataclass(frozen=True)
class Finding:
    """Something that a person has to mend."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def built_in_findings() -> list[Finding]:
    """Of the release itself; needs no database."""
    return [*_of_codes(), *_of_exceptions()]


def _of_codes() -> Iterator[Finding]:
    for code in ErrorCode:
        if code not in SPECS:
            yield Finding(code, "没有规格")
            continue
        if SPECS[code].action not in SPECS[code].actions:
            yield Finding(code, "默认动作不在允许的动作里")
        words = {locale: builtin_words(code, locale) for locale in COPY if code in COPY[locale]}
        yield from (Finding(f"{code} {locale}", "缺少文案") for locale in COPY if locale not in words)
        yield from _of_words(code, words)


def _of_words(code: ErrorCode, words: Mapping[str, Words]) -> Iterator[Finding]:
    used = {locale: _placeholders_of(one) for locale, one in words.items()}
    every = set().union(*used.values())
    for locale, one in words.items():
        for name, why in faults_of(code, locale, one).items():
            yield Finding(f"{code} {locale} {name}", why)
        for name in sorted(every - used[locale]):
            yield Finding(f"{code} {locale}", f"没有用到占位符 {{{name}}}，而其他语言用到了")


def _placeholders_of(words: Words) -> set[str]:
    return set().union(*(names_in(getattr(words, name)) for name in TEXT_FIELDS))


def _of_exceptions() -> Iterator[Finding]:
    for kind in subclasses_of(AppError):
        if kind.code not in SPECS:
            yield Finding(f"{kind.__module__}.{kind.__qualname__}", "没有错误代码")


def subclasses_of(kind: type[AppError]) -> Iterator[type[AppError]]:
    """Every class below it that has been imported."""
    for child in kind.__subclasses__():
        yield child
        yield from subclasses_of(child)


def table_findings() -> list[Finding]:
    """Of the words that are published, drafted and overridden in this database."""
    return [*_of_rows(), *_of_overrides()]


def _of_rows() -> Iterator[Finding]:
    from errors.models import ErrorCopy

    rows = {(row.code, row.locale): row for row in ErrorCopy.objects.select_related("published")}
    published: dict[ErrorCode, dict[str, Words]] = {}
    for code in ErrorCode:
        for locale in COPY:
            row = rows.pop((code.value, locale), None)
            if row is None:
                yield Finding(f"{code} {locale}", "表里没有这一条（运行 manage.py seed）")
            elif row.published is None:
                yield Finding(f"{code} {locale}", "还没有发布")
            else:
                published.setdefault(code, {})[locale] = words_of(row.published.content)
    yield from (Finding(f"{code} {locale}", "没有这个错误代码或语言") for code, locale in rows)
    for code, words in published.items():
        yield from _of_words(code, words)


def _of_overrides() -> Iterator[Finding]:
    from errors.models import CopyOverride

    for override in CopyOverride.objects.not_over():
        if override.code not in set(ErrorCode) or override.locale not in COPY:
            yield Finding(f"临时文案 {override.pk}", "没有这个错误代码或语言")
            continue
        code = ErrorCode(override.code)
        shown = override.over(builtin_words(code, override.locale))
        for name, why in faults_of(code, override.locale, shown).items():
            yield Finding(f"临时文案 {override.pk} {name}", why)
