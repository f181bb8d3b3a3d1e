"""Copy as a CSV file for translators, out and in again. What comes in becomes drafts, never published words."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from errors.codes import ErrorCode
from errors.differences import Change, changes_between
from errors.models import ErrorCopy
from errors.words import Words, faults_of, words_of

TEXTS = ["title", "message", "suggestion", "action_label"]
COLUMNS = ["code", "locale", *TEXTS, "placeholders", "was_title", "was_message", "was_suggestion", "was_action_label"]
MOST_BYTES = 200_000
# What a spreadsheet would take for a formula, and the sign that keeps it from doing so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class UnreadableFile(ValueError):
    """The file is no such CSV; the text tells a person why."""


@dataclass
class RowPlan:
    """What a row of the file would do."""

    line: int
    code: str
    locale: str
    changes: list[Change] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    words: Words | None = None
    copy_id: int | None = None


def export_csv(copies: Iterable[ErrorCopy]) -> str:
    """The drafts as a file that a spreadsheet opens in the right encoding. `was_...` tells what it was made from."""
    from errors.codes import SPECS

    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for copy in copies:
        texts = {name: _escape(getattr(copy, name)) for name in TEXTS}
        names = " ".join(f"{{{name}}}" for name in SPECS[ErrorCode(copy.code)].placeholders_by_name)
        was = {f"was_{name}": value for name, value in texts.items()}
        writer.writerow({"code": copy.code, "locale": copy.locale, "placeholders": names, **texts, **was})
    return "\ufeff" + out.getvalue()


def plan_import(data: bytes) -> list[RowPlan]:
    """What importing would change, row by row; writes nothing. Raises UnreadableFile."""
    copies = {(copy.code, copy.locale): copy for copy in ErrorCopy.objects.all()}
    seen: set[tuple[str, str]] = set()
    plans = []
    for line, row in _rows(data):
        plan = _plan_row(line, row, copies)
        if (plan.code, plan.locale) in seen:
            plan.faults["code"] = "同一条文案在文件里出现了两次。"
        seen.add((plan.code, plan.locale))
        if plan.changes or plan.faults:
            plans.append(plan)
    return plans


def apply_import(data: bytes) -> list[int]:
    """Write the changes into the drafts, all of them or none; returns the keys of the rows that changed.

    Raises UnreadableFile when any row has a fault.
    """
    with transaction.atomic():
        list(ErrorCopy.objects.select_for_update().values_list("pk"))  # what was planned is what is written
        plans = plan_import(data)
        if any(plan.faults for plan in plans):
            raise UnreadableFile("文件里还有需要修改的地方。")
        for plan in plans:
            assert plan.words and plan.copy_id
            copy = ErrorCopy.objects.select_related("published").get(pk=plan.copy_id)
            copy.draft = plan.words
            copy.save()
        return [plan.copy_id for plan in plans if plan.copy_id]


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    if len(data) > MOST_BYTES:
        raise UnreadableFile(f"文件太大：最多 {MOST_BYTES // 1000} kB。")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        missing = [name for name in ("code", "locale", *TEXTS) if name not in (reader.fieldnames or [])]
        if missing:
            raise UnreadableFile(f"缺少这些列：{'、'.join(missing)}。")
        for row in reader:
            yield reader.line_num, {key: value or "" for key, value in row.items() if isinstance(key, str)}
    except UnicodeDecodeError as error:
        raise UnreadableFile("请把文件另存为 UTF-8 编码的 CSV。") from error
    except csv.Error as error:
        raise UnreadableFile("这不是一个完整的 CSV 文件。") from error


def _plan_row(line: int, row: Mapping[str, str], copies: Mapping[tuple[str, str], ErrorCopy]) -> RowPlan:
    plan = RowPlan(line, row["code"].strip(), row["locale"].strip())
    copy = copies.get((plan.code, plan.locale))
    if copy is None:
        plan.faults["code"] = f"没有这条文案：{plan.code[:40]} / {plan.locale[:16]}。"
        return plan
    texts = {name: _unescape(row[name]).strip() for name in TEXTS}
    plan.copy_id, plan.words = copy.pk, words_of(copy.draft.content() | texts)
    plan.changes = changes_between(copy.draft.content(), plan.words.content())
    plan.faults = faults_of(ErrorCode(plan.code), plan.locale, plan.words) if plan.changes else {}
    for change in plan.changes:
        was = row.get(f"was_{change.field}")
        if was is not None and _unescape(was).strip() != getattr(copy, change.field):
            plan.faults[change.field] = "导出之后有人改过这一项，请重新导出。"
    return plan


def _escape(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _unescape(text: str) -> str:
    return text[1:] if text.startswith("'") else text


def fault_lines(plans: Iterable[RowPlan]) -> list[dict[str, Any]]:
    """Every fault of the plans as {line, code, locale, field, why}."""
    return [
        {"line": plan.line, "code": plan.code, "locale": plan.locale, "field": name, "why": why}
        for plan in plans
        for name, why in plan.faults.items()
    ]
