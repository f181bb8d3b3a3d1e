"""Refuses an admin form that was opened before another change of its row, which saving it would undo.

A hidden field holds a digest of each value as the form was opened, and the number of the last entry of the admin log.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, QuerySet
from django.forms.models import model_to_dict
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

VERSION_FIELD = "opened_version"
VALUES_KEY = "values"  # added to an entry beside Django's `fields`: {name: [before, after]}
_DIGEST_LENGTH = 12
_MAX_SHOWN_CHARACTERS = 80
_SYSTEM = "系统"


class _VersionField(forms.CharField):
    def has_changed(self, initial: Any, data: Any) -> bool:
        return False  # no change of the row


class EditConflictForm(forms.ModelForm[Any]):
    """A form that knows the version of the row with which it was opened. Without the field nothing is checked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if VERSION_FIELD in self.fields:
            self.fields[VERSION_FIELD].initial = build_version(self.instance, self._get_compared_fields())

    def clean(self) -> dict[str, Any]:
        """Compare the row, locked, with its version when the form was opened."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        opened = cleaned.pop(VERSION_FIELD, "")
        if opened:
            check_version(self.instance, self._get_compared_fields(), opened)
        return cleaned

    def _get_compared_fields(self) -> dict[str, str]:
        names = {field.name for field in (*self._meta.model._meta.fields, *self._meta.model._meta.many_to_many)}
        return {name: str(field.label or name) for name, field in self.fields.items() if name in names}


def add_version_field(form: type[forms.ModelForm[Any]]) -> type[forms.ModelForm[Any]]:
    """Return a subclass of the form that refuses to undo changes of others."""
    field = _VersionField(label="版本", required=False, widget=forms.HiddenInput())
    metaclass: Any = type(form)
    versioned: type[forms.ModelForm[Any]] = metaclass(
        f"{form.__name__}WithVersion", (EditConflictForm, form), {VERSION_FIELD: field}
    )
    return versioned


def build_version(row: Model, names: Iterable[str]) -> str:
    """Return the version of a row: `last log entry:{name: digest}`."""
    return f"{_find_last_entry(row)}:{json.dumps(_digest_values(row, names), separators=(',', ':'))}"


def check_version(row: Model, labels: Mapping[str, str], opened: str) -> None:
    """Raise ValidationError if the stored row differs from the version; the message says who changed what.

    labels: {name: label} of the compared fields. Locks the row, so that no change comes between check and save.
    """
    rows: QuerySet[Model] = row._meta.model._base_manager.filter(pk=row.pk)
    stored = (rows.select_for_update(of=("self",)) if connection.in_atomic_block else rows).first()
    if stored is None:
        raise ValidationError("这条记录已被删除，您的修改没有保存。")
    entry, _separator, text = opened.partition(":")
    try:
        opened_digests: dict[str, str] = json.loads(text)
        last_entry = int(entry)
        digests = _digest_values(stored, labels)
        differing = [name for name in labels if digests.get(name) != opened_digests.get(name, digests.get(name))]
    except (ValueError, AttributeError) as error:
        raise ValidationError("页面里的版本无法识别，请重新打开这一页。") from error
    if differing:
        changes = _describe_changes(stored, {name: labels[name] for name in differing}, last_entry)
        raise ValidationError(
            format_html("您打开这一页之后，它已被修改，所以这次没有保存：{}{}", changes, _build_link(stored)),
            code="edit_conflict",
        )


def _digest_values(row: Model, names: Iterable[str]) -> dict[str, str]:
    return {name: _digest(value) for name, value in model_to_dict(row, fields=list(names)).items()}


def _digest(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, Model) for item in value):
        value = sorted(str(item.pk) for item in value)
    text = json.dumps(value, sort_keys=True, default=str) if isinstance(value, list | dict) else str(value)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:_DIGEST_LENGTH]


def _find_entries(row: Model) -> QuerySet[LogEntry]:
    if row.pk is None:
        return LogEntry.objects.none()
    content_type = ContentType.objects.get_for_model(row, for_concrete_model=False)
    return LogEntry.objects.filter(content_type=content_type, object_id=str(row.pk)).order_by("-pk")


def _find_last_entry(row: Model) -> int:
    return _find_entries(row).values_list("pk", flat=True).first() or 0


def _describe_changes(stored: Model, labels: Mapping[str, str], last_entry: int) -> SafeString:
    """Return one sentence per field: its present value, who changed it, and when."""
    entries = list(_find_entries(stored).filter(pk__gt=last_entry).select_related("user"))
    values = model_to_dict(stored, fields=list(labels))
    lines = [
        (label, _format_value(stored, name, values[name]), _describe_author(entries, name))
        for name, label in labels.items()
    ]
    return format_html_join("", "“{}”现在是“{}”（{}）；", lines)


def _describe_author(entries: list[LogEntry], name: str) -> str:
    """Return who changed the field last, by the entries since; else who changed anything of the row."""
    with_field = [entry for entry in entries if f'"{name}"' in entry.change_message]
    for entry in with_field or entries:
        return f"{entry.user} {timezone.localtime(entry.action_time):%m-%d %H:%M}"
    return _SYSTEM


def _format_value(row: Model, name: str, value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, Model) for item in value):
        text = "、".join(map(str, value))
    elif isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        field = row._meta.get_field(name)
        shown = getattr(row, f"get_{name}_display", None)
        attribute = shown() if shown else getattr(row, name) if field.is_relation else value
        text = "空" if attribute in (None, "") else _format_plain(attribute)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…"


def _format_plain(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    is_moment = hasattr(value, "tzinfo") and value.tzinfo is not None
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if is_moment else str(value)


def _build_link(row: Model) -> SafeString:
    try:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return format_html("请重新打开这一页，再做您的修改。")
    return format_html('<a href="{}" target="_blank">在新窗口打开现在的内容</a>，在那里再做您的修改。', address)
