"""Whether every code has words, in every locale, that can be shown: in the code, and in the table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError
from errors.messages.default_texts import DEFAULT_TEXTS
from errors.messages.message import TEXT_FIELDS, ErrorMessage, build_default_message, build_message, validate_message
from errors.messages.placeholders import find_placeholder_names


@dataclass(frozen=True)
class CoverageFinding:
    """Something that a person has to mend."""

    location: str
    problem: str

    def __str__(self) -> str:
        return f"{self.location}: {self.problem}"


def check_default_messages() -> list[CoverageFinding]:
    """Of the release itself; needs no database."""
    return [*_check_codes(), *_check_exception_classes()]


def _check_codes() -> Iterator[CoverageFinding]:
    for code in ErrorCode:
        if code not in ERROR_SPECS:
            yield CoverageFinding(code, "没有规格")
            continue
        if ERROR_SPECS[code].action not in ERROR_SPECS[code].allowed_actions:
            yield CoverageFinding(code, "默认动作不在允许的动作里")
        messages = {
            locale: build_default_message(code, locale) for locale in DEFAULT_TEXTS if code in DEFAULT_TEXTS[locale]
        }
        yield from (
            CoverageFinding(f"{code} {locale}", "缺少文案") for locale in DEFAULT_TEXTS if locale not in messages
        )
        yield from _check_messages(code, messages)


def _check_messages(code: ErrorCode, messages: Mapping[str, ErrorMessage]) -> Iterator[CoverageFinding]:
    used = {locale: _find_used_placeholders(one) for locale, one in messages.items()}
    all_placeholders = set().union(*used.values())
    for locale, one in messages.items():
        for name, error in validate_message(code, locale, one).items():
            yield CoverageFinding(f"{code} {locale} {name}", error)
        for name in sorted(all_placeholders - used[locale]):
            yield CoverageFinding(f"{code} {locale}", f"没有用到占位符 {{{name}}}，而其他语言用到了")


def _find_used_placeholders(message: ErrorMessage) -> set[str]:
    return set().union(*(find_placeholder_names(getattr(message, name)) for name in TEXT_FIELDS))


def _check_exception_classes() -> Iterator[CoverageFinding]:
    for exception_class in find_subclasses(AppError):
        if exception_class.code not in ERROR_SPECS:
            yield CoverageFinding(f"{exception_class.__module__}.{exception_class.__qualname__}", "没有错误代码")


def find_subclasses(parent: type[AppError]) -> Iterator[type[AppError]]:
    """Every class below it that has been imported."""
    for child in parent.__subclasses__():
        yield child
        yield from find_subclasses(child)


def check_stored_messages() -> list[CoverageFinding]:
    """Of the words that are published, drafted and overridden in this database."""
    return [*_check_rows(), *_check_overrides()]


def _check_rows() -> Iterator[CoverageFinding]:
    from errors.models import ErrorCopy

    rows = {(row.code, row.locale): row for row in ErrorCopy.objects.select_related("published")}
    published: dict[ErrorCode, dict[str, ErrorMessage]] = {}
    for code in ErrorCode:
        for locale in DEFAULT_TEXTS:
            row = rows.pop((code.value, locale), None)
            if row is None:
                yield CoverageFinding(f"{code} {locale}", "表里没有这一条（运行 manage.py seed）")
            elif row.published is None:
                yield CoverageFinding(f"{code} {locale}", "还没有发布")
            else:
                published.setdefault(code, {})[locale] = build_message(row.published.content)
    yield from (CoverageFinding(f"{code} {locale}", "没有这个错误代码或语言") for code, locale in rows)
    for code, messages in published.items():
        yield from _check_messages(code, messages)


def _check_overrides() -> Iterator[CoverageFinding]:
    from errors.models import CopyOverride

    for override in CopyOverride.objects.unexpired():
        if override.code not in set(ErrorCode) or override.locale not in DEFAULT_TEXTS:
            yield CoverageFinding(f"临时文案 {override.pk}", "没有这个错误代码或语言")
            continue
        code = ErrorCode(override.code)
        shown = override.apply_to(build_default_message(code, override.locale))
        for name, error in validate_message(code, override.locale, shown).items():
            yield CoverageFinding(f"临时文案 {override.pk} {name}", error)
