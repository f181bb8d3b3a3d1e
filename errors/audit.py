"""What staff changed in the admin, in Django's own log: which field, from what, to what; secrets are never in it."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

_M = TypeVar("_M", bound=Model)

SECRET_MASK = "***"
MAX_LOGGED_VALUE_LENGTH = 200
MAX_LOGGED_ROWS = 500
VALUES_KEY = "values"  # beside Django's own `fields` in an entry: {name: [before, after]}
# What a field is called that holds a secret, whatever its widget.
_SECRET_NAME_PARTS = ("password", "secret", "token", "openid", "device_id")

ValueChange = list[str]


class AuditedAdmin(admin.ModelAdmin[_M]):
    """Its log tells values; and actions on chosen rows are in it too."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """Django's message, with the values of the fields that it names."""
        message: list[Any] = super().construct_change_message(request, form, formsets, add)
        pending = [] if add else [("changed", form)] if form.changed_data else []
        pending += [(kind, one) for formset in formsets or () for kind, one in _get_changed_forms(formset)]
        for entry in message:
            kind = next(iter(entry), "")
            # One entry a form, in one order: ours of the same kind comes first.
            match = next((one for one in pending if one[0] == kind), None)
            if match and isinstance(entry[kind], dict):
                pending.remove(match)
                entry[kind][VALUES_KEY] = get_form_changes(match[1])
        return message

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each writes down what became of the chosen rows; deleting does so already."""
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


def _get_changed_forms(formset: Any) -> Iterable[tuple[str, Any]]:
    changed = [obj for obj, _fields in getattr(formset, "changed_objects", ())]
    return [("changed", form) for form in formset.initial_forms if form.instance in changed]


def get_form_changes(form: forms.BaseForm) -> dict[str, ValueChange]:
    """{name: [before, after]} of a form's changed fields, in words; what is secret is masked."""
    changes = {}
    for name in form.changed_data:
        field = form.fields.get(name)  # Django's form of a new password names one that it has not
        if field is None or is_secret_field(name) or isinstance(field.widget, forms.PasswordInput):
            changes[name] = [SECRET_MASK, SECRET_MASK]
        else:
            changes[name] = [
                format_logged_value(form.get_initial_for_field(field, name)),
                format_logged_value(form.cleaned_data.get(name)),
            ]
    return changes


def is_secret_field(name: str) -> bool:
    """By what a field is called."""
    return any(part in name for part in _SECRET_NAME_PARTS)


def format_logged_value(value: Any) -> str:
    """A value as the log has it: short; rows by their keys."""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, QuerySet | list | tuple | set):
        return "、".join(format_logged_value(one) for one in value)[:MAX_LOGGED_VALUE_LENGTH]
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
        name: [SECRET_MASK, SECRET_MASK]
        if is_secret_field(name)
        else [format_logged_value(old), format_logged_value(new)]
        for name, old, new in pairs
        if old != new
    }


def log_action(model_admin: Any, request: HttpRequest, row: Model, message: str) -> None:
    """Write down what somebody did with a row other than by its form."""
    model_admin.log_change(request, row, message)
