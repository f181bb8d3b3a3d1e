"""Checks that every code has a valid message in every locale, in the code and in the database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from errors.codes import ERROR_SPECS, ErrorCode
from errors.exceptions import AppError
from errors.messages.default_texts import DEFAULT_TEXTS
from errors.messages.message import TEXT_FIELDS, ErrorMessage, build_default_message, build_message, validate_message
from errors.models import CopyOverride, ErrorCopy
from errors.placeholders import find_placeholder_names


@dataclass(frozen=True)
class CoverageFinding:
    """A problem that a developer or operator has to fix."""

    location: str
    problem: str

    def __str__(self) -> str:
        return f"{self.location}: {self.problem}"


def check_default_messages() -> list[CoverageFinding]:
    """Check the messages of the release and the codes of all exception classes; needs no database."""
    findings = list(_check_codes())
    for exception_class in find_subclasses(AppError):
        if exception_class.code not in ERROR_SPECS:
            name = f"{exception_class.__module__}.{exception_class.__qualname__}"
            findings.append(CoverageFinding(name, "没有错误代码"))
    return findings


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
    used = {
        locale: set().union(*(find_placeholder_names(getattr(message, name)) for name in TEXT_FIELDS))
        for locale, message in messages.items()
    }
    all_placeholders = set().union(*used.values())
    for locale, message in messages.items():
        for name, error in validate_message(code, locale, message).items():
            yield CoverageFinding(f"{code} {locale} {name}", error)
        for name in sorted(all_placeholders - used[locale]):
            yield CoverageFinding(f"{code} {locale}", f"没有用到占位符 {{{name}}}，而其他语言用到了")


def find_subclasses(parent: type[AppError]) -> Iterator[type[AppError]]:
    """Yield every imported subclass, direct or indirect."""
    for child in parent.__subclasses__():
        yield child
        yield from find_subclasses(child)


def check_stored_messages() -> list[CoverageFinding]:
    """Check the published messages and the overrides in the database."""
    return [*_check_rows(), *_check_overrides()]


def _check_rows() -> Iterator[CoverageFinding]:
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
    for override in CopyOverride.objects.unexpired():
        if override.code not in set(ErrorCode) or override.locale not in DEFAULT_TEXTS:
            yield CoverageFinding(f"临时文案 {override.pk}", "没有这个错误代码或语言")
            continue
        code = ErrorCode(override.code)
        shown = override.apply_to(build_default_message(code, override.locale))
        for name, error in validate_message(code, override.locale, shown).items():
            yield CoverageFinding(f"临时文案 {override.pk} {name}", error)
