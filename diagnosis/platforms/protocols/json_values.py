"""Read values of a parsed JSON body that may have any shape: a wrong type reads as empty, never as an error."""

from collections.abc import Iterator
from typing import Any

MAX_COUNT = 2**31 - 1  # of a column of PostgreSQL


def get_value(value: Any, *path: str | int) -> Any:
    """Return the value at a path of keys and list positions, or None."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def get_dicts(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """Return the objects of the list at a path."""
    items = get_value(value, *path)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def get_text(value: Any, *path: str | int) -> str:
    """Return the text at a path, or ""."""
    found = get_value(value, *path)
    return found if isinstance(found, str) else ""


def get_label(value: Any, *path: str | int) -> str:
    """Return the text at a path; a number as its digits."""
    found = get_value(value, *path)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return str(found) if is_number else get_text(value, *path)


def get_count(value: Any, *path: str | int) -> int | None:
    """Return the whole number at a path that is not negative, or None."""
    found = get_value(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MAX_COUNT else None


def get_texts(value: Any, *path: str | int) -> list[str]:
    """Return the non-empty texts of the list at a path; a single text counts as a list of one."""
    found = get_value(value, *path)
    items = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return [item.strip() for item in items if isinstance(item, str) and item.strip()]


def iter_dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a value, outer ones first."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending += reversed(list(item.values()))
        elif isinstance(item, list):
            pending += reversed(item)
