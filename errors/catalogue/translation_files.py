"""Export and import of error messages as CSV for translators. An import changes drafts only."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from errors.codes import ERROR_SPECS, ErrorCode
from errors.messages.diff import FieldDiff, diff_contents
from errors.messages.message import TEXT_FIELDS, ErrorMessage, build_message, validate_message
from errors.models import ErrorCopy

CSV_COLUMNS = ["code", "locale", *TEXT_FIELDS, "placeholders", *(f"was_{name}" for name in TEXT_FIELDS)]
MAX_FILE_BYTES = 200_000
# A spreadsheet evaluates cells with these prefixes as formulas; a leading apostrophe prevents it.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "'")


class InvalidTranslationFile(ValueError):
    """The file cannot be imported; the text, in Chinese, explains why."""


@dataclass
class RowImportPlan:
    """The effect of importing one row."""

    line: int
    code: str
    locale: str
    changes: list[FieldDiff] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    message: ErrorMessage | None = None
    copy_id: int | None = None


def export_translations(copies: Iterable[ErrorCopy]) -> str:
    """Return the drafts as CSV with a byte order mark; the import compares the `was_...` columns with the drafts."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for copy in copies:
        texts = {name: _escape_formula(getattr(copy, name)) for name in TEXT_FIELDS}
        names = " ".join(f"{{{name}}}" for name in ERROR_SPECS[ErrorCode(copy.code)].placeholders_by_name)
        was = {f"was_{name}": value for name, value in texts.items()}
        writer.writerow({"code": copy.code, "locale": copy.locale, "placeholders": names, **texts, **was})
    return "\ufeff" + out.getvalue()


def plan_translation_import(data: bytes) -> list[RowImportPlan]:
    """Return the rows that would change or have errors, without writing. Raises InvalidTranslationFile."""
    copies = {(copy.code, copy.locale): copy for copy in ErrorCopy.objects.all()}
    seen: set[tuple[str, str]] = set()
    plans = []
    for line, row in _read_rows(data):
        plan = _plan_row(line, row, copies)
        if (plan.code, plan.locale) in seen:
            plan.errors["code"] = "同一条文案在文件里出现了两次。"
        seen.add((plan.code, plan.locale))
        if plan.changes or plan.errors:
            plans.append(plan)
    return plans


def apply_translation_import(data: bytes) -> list[int]:
    """Write the changes to the drafts and return the primary keys of the changed rows.

    Raises InvalidTranslationFile, without writing, when any row has an error.
    """
    with transaction.atomic():
        list(ErrorCopy.objects.select_for_update().values_list("pk"))  # no change between plan and write
        plans = plan_translation_import(data)
        if any(plan.errors for plan in plans):
            raise InvalidTranslationFile("文件里还有需要修改的地方。")
        for plan in plans:
            assert plan.message and plan.copy_id
            copy = ErrorCopy.objects.select_related("published").get(pk=plan.copy_id)
            copy.draft = plan.message
            copy.save()
        return [plan.copy_id for plan in plans if plan.copy_id]


def _read_rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    if len(data) > MAX_FILE_BYTES:
        raise InvalidTranslationFile(f"文件太大：最多 {MAX_FILE_BYTES // 1000} kB。")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        missing = [name for name in ("code", "locale", *TEXT_FIELDS) if name not in (reader.fieldnames or [])]
        if missing:
            raise InvalidTranslationFile(f"缺少这些列：{'、'.join(missing)}。")
        for row in reader:
            yield reader.line_num, {key: value or "" for key, value in row.items() if isinstance(key, str)}
    except UnicodeDecodeError as error:
        raise InvalidTranslationFile("请把文件另存为 UTF-8 编码的 CSV。") from error
    except csv.Error as error:
        raise InvalidTranslationFile("这不是一个完整的 CSV 文件。") from error


def _plan_row(line: int, row: Mapping[str, str], copies: Mapping[tuple[str, str], ErrorCopy]) -> RowImportPlan:
    plan = RowImportPlan(line, row["code"].strip(), row["locale"].strip())
    copy = copies.get((plan.code, plan.locale))
    if copy is None:
        plan.errors["code"] = f"没有这条文案：{plan.code[:40]} / {plan.locale[:16]}。"
        return plan
    texts = {name: _unescape_formula(row[name]).strip() for name in TEXT_FIELDS}
    plan.copy_id, plan.message = copy.pk, build_message(copy.draft.content() | texts)
    plan.changes = diff_contents(copy.draft.content(), plan.message.content())
    plan.errors = validate_message(ErrorCode(plan.code), plan.locale, plan.message) if plan.changes else {}
    for change in plan.changes:
        was = row.get(f"was_{change.field}")
        if was is not None and _unescape_formula(was).strip() != getattr(copy, change.field):
            plan.errors[change.field] = "导出之后有人改过这一项，请重新导出。"
    return plan


def _escape_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_PREFIXES) else text


def _unescape_formula(text: str) -> str:
    return text[1:] if text.startswith("'") else text


def list_import_errors(plans: Iterable[RowImportPlan]) -> list[dict[str, Any]]:
    """Return every error of the plans as {line, code, locale, field, why}."""
    return [
        {"line": plan.line, "code": plan.code, "locale": plan.locale, "field": name, "why": error}
        for plan in plans
        for name, error in plan.errors.items()
    ]
