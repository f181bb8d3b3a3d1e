"""Admin base classes. Changes are logged in Django's admin log with old and new values; secrets are masked."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from errors.edit_conflicts import VALUES_KEY, VERSION_FIELD, add_version_field
from errors.readonly_links import VIEWER_ATTRIBUTE
from errors.redaction import MASK

_M = TypeVar("_M", bound=Model)

MAX_LOGGED_VALUE_LENGTH = 200
MAX_LOGGED_ROWS = 500
# A field whose name contains one of these holds a secret.
_SECRET_NAME_PARTS = ("password", "secret", "token", "openid", "device_id")

ValueChange = list[str]


class AuditedAdmin(admin.ModelAdmin[_M]):
    """Logs the old and new values of changed fields, also for actions on selected rows.

    A form that was opened before another change of its row is refused (errors/edit_conflicts.py).
    """

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Add the version to the form of an existing row, and the user to any form."""
        if obj is not None and self.has_change_permission(request, obj):
            kwargs["form"] = add_version_field(kwargs.get("form", self.form))
        form = super().get_form(request, obj, change=change, **kwargs)
        setattr(form, VIEWER_ATTRIBUTE, request.user)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the version, which is hidden, in the first fieldset."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self.has_change_permission(request, obj):
            return fieldsets
        (title, options), *others = fieldsets
        fields = [name for name in options["fields"] if name != VERSION_FIELD]
        return [(title, {**options, "fields": [*fields, VERSION_FIELD]}), *others]

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """Add the values of the changed fields to Django's message."""
        message: list[Any] = super().construct_change_message(request, form, formsets, add)
        changed_forms = [] if add or not form.changed_data else [form]
        for formset in formsets or ():
            changed_rows = [row for row, _fields in getattr(formset, "changed_objects", ())]
            changed_forms += [row_form for row_form in formset.initial_forms if row_form.instance in changed_rows]
        for entry in message:
            # Django adds one "changed" entry per changed form, in the same order.
            if changed_forms and isinstance(entry.get("changed"), dict):
                entry["changed"][VALUES_KEY] = get_form_changes(changed_forms.pop(0))
        return message

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Log the changes of each action on the selected rows; Django logs deletions itself."""
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: (action if name == "delete_selected" else _log_row_changes(action, description), name, description)
            for name, (action, name, description) in actions.items()
        }


class DeleteOnlyAdmin(AuditedAdmin[_M]):
    """Rows can be viewed and deleted, but not added or changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False


class ReadOnlyAdmin(DeleteOnlyAdmin[_M]):
    """Rows can only be viewed; actions of the subclass declare the permission that they need."""

    def has_delete_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False


def get_form_changes(form: forms.BaseForm) -> dict[str, ValueChange]:
    """Return {name: [before, after]} of the changed fields of a form as text; secrets are masked."""
    changes = {}
    for name in form.changed_data:
        field = form.fields.get(name)  # Django's password form lists a field that it does not have
        if field is None or is_secret_field(name) or isinstance(field.widget, forms.PasswordInput):
            changes[name] = [MASK, MASK]
            continue
        before, after = form.get_initial_for_field(field, name), form.cleaned_data.get(name)
        if str(before) != str(after):  # a value that was only written in another way has not changed
            changes[name] = [format_logged_value(before), format_logged_value(after)]
    return changes


def is_secret_field(name: str) -> bool:
    """Whether the name of a field indicates a secret."""
    return any(part in name for part in _SECRET_NAME_PARTS)


def format_logged_value(value: Any) -> str:
    """Return a short text for a value; a row is represented by its primary key."""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, datetime) and timezone.is_aware(value):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, QuerySet | list | tuple | set):
        return "、".join(format_logged_value(item) for item in value)[:MAX_LOGGED_VALUE_LENGTH]
    return "" if value is None else str(value)[:MAX_LOGGED_VALUE_LENGTH]


def _log_row_changes(action: Callable[..., Any], description: str) -> Callable[..., Any]:
    @wraps(action)
    def logged(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        before = {row.pk: row for row in queryset[:MAX_LOGGED_ROWS]}
        response = action(model_admin, request, queryset)
        after = model_admin.model._default_manager.in_bulk(list(before))
        for key, row in before.items():
            changes = [f"{name}：{old} → {new}" for name, (old, new) in _diff_rows(row, after.get(key)).items()]
            log_action(model_admin, request, row, "；".join([str(description), *changes]))
        return response

    return logged


def _diff_rows(before: Model, after: Model | None) -> dict[str, ValueChange]:
    fields = [field for field in before._meta.concrete_fields if after is not None]
    pairs = [(field.name, field.value_from_object(before), field.value_from_object(after)) for field in fields]  # type: ignore[arg-type]
    return {
        name: [MASK, MASK] if is_secret_field(name) else [format_logged_value(old), format_logged_value(new)]
        for name, old, new in pairs
        if old != new
    }


def log_action(model_admin: Any, request: HttpRequest, row: Model, message: str) -> None:
    """Log an action on a row that did not go through its form."""
    model_admin.log_change(request, row, message)
