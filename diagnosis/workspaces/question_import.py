"""Import questions from lines, CSV or XLSX: every line gets a verdict, and nothing is dropped without one."""

import base64
import binascii
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from diagnosis.models import Tag, TrackedQuestion, Workspace
from diagnosis.readable import is_readable
from diagnosis.workspaces.defaults import build_name_key
from diagnosis.workspaces.questions import (
    MAX_QUESTIONS_PER_WORKSPACE,
    MAX_TAGS,
    build_question_key,
    count_active,
    find_or_create_tags,
)
from diagnosis.workspaces.spreadsheets import UnreadableSpreadsheet, read_xlsx_rows
from errors.exceptions import InvalidInput

MAX_IMPORT_LINES = 2000
MAX_IMPORT_BYTES = 128 * 1024  # the body of a request may have twice as many
MAX_IMPORT_CHARACTERS = MAX_IMPORT_BYTES * 4 // 3 + 4  # in Base64
MAX_QUESTION_CHARACTERS = 500
MAX_TAG_CHARACTERS = 40
_TAG_SEPARATORS = re.compile(r"[;；,，、|]")


class LineVerdict(StrEnum):
    """What becomes of a line: the first two are stored."""

    NEW = "new"
    KNOWN = "known"  # its tags are added
    REPEATED = "repeated"  # same as an earlier line
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    OVER_LIMIT = "over_limit"
    BLANK = "blank"


@dataclass
class ImportLine:
    """A line with its verdict. number: from 1; same_as: the earlier line of a repeated one."""

    number: int
    text: str
    tags: list[str]
    verdict: LineVerdict = LineVerdict.NEW
    same_as: int | None = None


class ImportFormat(StrEnum):
    """What the content of an import is. XLSX: a workbook in Base64, of which the first sheet is read."""

    LINES = "lines"
    CSV = "csv"
    XLSX = "xlsx"


def read_lines(content: str, import_format: ImportFormat) -> list[ImportLine]:
    """Return the lines: a question and its tags, behind a tab or, in CSV and XLSX, in the next columns.

    Raises InvalidInput if there are too many, too many bytes, or if the file cannot be read.
    """
    is_xlsx = import_format is ImportFormat.XLSX
    data = _decode_base64(content) if is_xlsx else content.encode("utf-8", "surrogatepass")
    if len(data) > MAX_IMPORT_BYTES:
        raise InvalidInput(fields={"content": _("一次最多导入 %(most)s KB。") % {"most": MAX_IMPORT_BYTES // 1024}})
    try:
        if is_xlsx:
            rows = read_xlsx_rows(data, MAX_IMPORT_LINES)
        else:
            rows = list(_iter_csv_rows(content)) if import_format is ImportFormat.CSV else _split_lines(content)
    except csv.Error as error:
        raise InvalidInput(fields={"content": _("不是有效的 CSV 文件。")}) from error
    except UnreadableSpreadsheet as error:
        raise InvalidInput(fields={"content": _("不是有效的 XLSX 文件，或解压后太大。")}) from error
    if len(rows) > MAX_IMPORT_LINES:
        raise InvalidInput(fields={"content": _("一次最多导入 %(most)s 行。") % {"most": MAX_IMPORT_LINES}})
    return [
        ImportLine(number, (cells[0] if cells else "").strip(), list(_iter_tags(cells[1:])))
        for number, cells in enumerate(rows, 1)
    ]


def _decode_base64(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(fields={"content": _("不是有效的 XLSX 文件，或解压后太大。")}) from error


def _split_lines(content: str) -> list[list[str]]:
    text = content.replace("\r\n", "\n").replace("\r", "\n")
    return [line.split("\t") for line in text.removesuffix("\n").split("\n")]


def _iter_csv_rows(content: str) -> Iterator[list[str]]:
    yield from csv.reader(io.StringIO(content.lstrip("\ufeff"), newline=""))


def _iter_tags(cells: Sequence[str]) -> Iterator[str]:
    for cell in cells:
        for tag in _TAG_SEPARATORS.split(cell):
            name = tag.strip()[:MAX_TAG_CHARACTERS]
            if name and is_readable(name):
                yield name


def judge_lines(workspace: Workspace, lines: Sequence[ImportLine]) -> None:
    """Set the verdict of every line, as `import_lines` would store them now."""
    known = dict(TrackedQuestion.objects.filter(workspace=workspace).values_list("key", "archived_at"))
    tags = set(Tag.objects.filter(workspace=workspace).values_list("key", flat=True))
    room = MAX_QUESTIONS_PER_WORKSPACE - count_active(workspace)
    seen: dict[str, int] = {}
    for line in lines:
        key = build_question_key(line.text)
        new_tags = {build_name_key(tag) for tag in line.tags} - tags
        line.verdict = _judge_text(line.text)
        if line.verdict is not LineVerdict.NEW:
            continue
        if key in seen:
            line.verdict, line.same_as = LineVerdict.REPEATED, seen[key]
            continue
        is_added = key not in known or known[key] is not None  # an archived one comes back
        if (is_added and room <= 0) or len(tags) + len(new_tags) > MAX_TAGS:
            line.verdict = LineVerdict.OVER_LIMIT
            continue
        line.verdict = LineVerdict.NEW if is_added else LineVerdict.KNOWN
        seen[key] = line.number
        tags |= new_tags
        room -= is_added


def _judge_text(text: str) -> LineVerdict:
    if not text:
        return LineVerdict.BLANK
    if not is_readable(text):
        return LineVerdict.UNREADABLE
    return LineVerdict.TOO_LONG if len(text) > MAX_QUESTION_CHARACTERS else LineVerdict.NEW


def import_lines(workspace: Workspace, lines: Sequence[ImportLine]) -> None:
    """Store the new and known lines with their tags, and set the verdict of every line."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        judge_lines(workspace, lines)
        stored = {
            build_question_key(line.text): line
            for line in lines
            if line.verdict in (LineVerdict.NEW, LineVerdict.KNOWN)
        }
        questions = {row.key: row for row in TrackedQuestion.objects.filter(workspace=workspace, key__in=stored)}
        new = [
            TrackedQuestion(workspace=workspace, text=line.text, key=key, origin=TrackedQuestion.Origin.IMPORT)
            for key, line in stored.items()
            if key not in questions
        ]
        TrackedQuestion.objects.filter(workspace=workspace, key__in=questions).update(archived_at=None)
        questions |= {row.key: row for row in TrackedQuestion.objects.bulk_create(new)}
        tags = find_or_create_tags(workspace, [tag for line in stored.values() for tag in line.tags])
        by_key = {tag.key: tag for tag in tags}
        links = TrackedQuestion.tags.through
        links.objects.bulk_create(
            (
                links(trackedquestion_id=questions[key].pk, tag_id=by_key[build_name_key(tag)].pk)
                for key, line in stored.items()
                for tag in dict.fromkeys(line.tags)
            ),
            ignore_conflicts=True,
        )
