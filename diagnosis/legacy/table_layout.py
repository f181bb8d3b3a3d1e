"""Detect the contents of the tables of an export by their column names, which differ between versions."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from errors.terminal import gettext as _

TEMPORARY_TABLE_PATTERN = re.compile(r"(temp_|tmp_|bak_).*|.*(_backup|_old|_v1|_v2)", re.IGNORECASE)
"""Names of tables left over from migrations or manual work."""

# Field name -> possible column names, most likely first.
COLUMN_ALIASES: dict[str, tuple[str, ...]] = {
    "key": ("id", "diagnosis_id", "execution_id", "report_id", "task_id", "test_id", "record_id", "uuid"),
    "ref": ("diagnosis_id", "report_id", "execution_id", "test_record_id", "task_id", "test_id", "record_id"),
    "brand": ("brand", "brand_name", "main_brand", "own_brand", "target_brand"),
    "brands": ("brand_list", "brands", "brand_names"),
    "competitors": ("competitors", "competitor_brands", "competitor_list", "competitor_names", "rivals"),
    "questions": ("questions", "custom_questions", "question_list", "custom_question", "questions_json"),
    "platforms": ("platforms", "selected_models", "ai_platforms", "selected_platforms", "models", "ai_models_used"),
    "submission": ("request", "request_data", "request_body", "config", "params", "submission", "form_data", "payload"),
    "owner": ("user_openid", "openid", "wechat_openid", "user_id", "owner", "user"),
    "status": ("status", "state", "task_status"),
    "stage": ("stage", "phase"),
    "progress": ("progress", "percent", "percentage"),
    "is_completed": ("is_completed", "completed", "is_complete", "is_done", "finished"),
    "created_at": ("created_at", "create_time", "created", "test_date", "created_time", "timestamp", "createdat"),
    "started_at": ("started_at", "start_time", "begin_time", "startedat"),
    "finished_at": ("finished_at", "completed_at", "end_time", "finish_time", "completedat"),
    "report": ("report", "report_data", "report_json", "results_summary", "analysis", "analysis_data", "result"),
    "repeats": ("repeats", "repeat_count"),
    "question": ("question", "question_text", "query", "prompt"),
    "platform": ("platform", "ai_platform", "platform_name", "ai_model", "provider", "model_display_name"),
    "model": ("model", "model_name", "ai_model_name", "ai_model"),
    "text": ("answer", "response", "response_content", "ai_response", "answer_text", "response_text", "content"),
    "error": ("error", "error_message", "error_detail", "error_type"),
    "is_ok": ("is_success", "success", "succeeded", "is_valid"),
    "milliseconds": ("milliseconds", "latency_ms", "response_time_ms", "duration_ms", "elapsed_ms"),
    "seconds": ("response_latency", "response_time", "latency", "elapsed_time", "duration"),
    "answered_at": ("answered_at", "created_at", "timestamp", "create_time", "completed_at"),
    "repeat": ("repeat", "iteration", "repeat_index", "round"),
}


@dataclass(frozen=True)
class LegacyTable:
    """A table of the export with its columns by field name."""

    name: str
    columns: Sequence[str]
    column_by_field: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_file(cls, file: sqlite3.Connection, name: str) -> Self:
        """Return a table of the export with the columns that it has."""
        quoted = name.replace('"', '""')
        columns = [row[1] for row in file.execute(f'PRAGMA table_info("{quoted}")')]
        column_by_normalized_name = {normalize_column_name(column): column for column in reversed(columns)}
        column_by_field = {
            field_name: column_by_normalized_name[alias]
            for field_name, aliases in COLUMN_ALIASES.items()
            for alias in reversed(aliases)
            if alias in column_by_normalized_name
        }
        return cls(name, columns, column_by_field)

    def has(self, *field_names: str) -> bool:
        """Return whether it has a column for each field."""
        return all(name in self.column_by_field for name in field_names)

    def detect_role(self) -> str:
        """Return its role, or why it has none."""
        if TEMPORARY_TABLE_PATTERN.fullmatch(self.name):
            return _("表名是临时表的名字")
        if self.has("text", "ref") or self.has("text", "question"):
            return "answers"
        has_request_columns = (
            self.has("questions") or self.has("competitors") or self.has("status") or self.has("submission")
        )
        if has_request_columns and (self.has("brand") or self.has("brands")):
            return "diagnoses"
        if self.has("ref", "report"):
            return "reports"
        return _("列与诊断、回答或报告都不符")


@dataclass
class TableLayout:
    """The tables of diagnoses, answers and reports, and the skipped tables with the reason."""

    diagnoses: list[LegacyTable] = field(default_factory=list)
    answers: list[LegacyTable] = field(default_factory=list)
    reports: list[LegacyTable] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def detect_layout(file: sqlite3.Connection, role_overrides: dict[str, str] | None = None) -> TableLayout:
    """Detect the role of every table. `role_overrides` is {table: diagnoses | answers | reports | skip}."""
    layout = TableLayout()
    names = file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    for (name,) in names.fetchall():
        table = LegacyTable.from_file(file, name)
        role = (role_overrides or {}).get(name) or table.detect_role()
        if role in ("diagnoses", "answers", "reports"):
            getattr(layout, role).append(table)
        else:
            layout.skipped[name] = role
    return layout


def normalize_column_name(column: str) -> str:
    """Convert createdAt and Created-At to created_at."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)).casefold()
