"""What staff changed in the admin, in Django's own log: which field, from what, to what; secrets are never in it."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

_M = TypeVar("_M", bound=Model)

MASK = "***"
MOST_OF_A_VALUE = 200
MOST_CHOSEN = 500
VALUES = "values"  # beside Django's own `fields` in an entry: {name: [before, after]}
# What a field is called that holds a secret, whatever its widget.
_SECRET = ("password", "secret", "token", "openid", "device_id")

Change = list[str]


class AuditedAdmin(admin.ModelAdmin[_M]):
    """Its log tells values; and actions on chosen rows are in it too."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """Django's message, with the values of the fields that it names."""
        message: list[Any] = super().construct_change_message(request, form, formsets, add)
        told = [] if add else [("changed", form)] if form.changed_data else []
        told += [(kind, one) for formset in formsets or () for kind, one in _forms_of(formset)]
        for entry in message:
            kind = next(iter(entry), "")
            # One entry a form, in one order: ours of the same kind comes first.
            match = next((one for one in told if one[0] == kind), None)
            if match and isinstance(entry[kind], dict):
                told.remove(match)
                entry[kind][VALUES] = changes_in(match[1])
        return message

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each writes down what became of the chosen rows; deleting does so already."""
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: (action if name == "delete_selected" else _logged(action, words), name, words)
            for name, (action, name, words) in actions.items()
        }


def _forms_of(formset: Any) -> Iterable[tuple[str, Any]]:
    changed = [obj for obj, _fields in getattr(formset, "changed_objects", ())]
    return [("changed", form) for form in formset.initial_forms if form.instance in changed]


def changes_in(form: forms.BaseForm) -> dict[str, Change]:
    """{name: [before, after]} of a form's changed fields, in words; what is secret is masked."""
    told = {}
    for name in form.changed_data:
        field = form.fields.get(name)  # Django's form of a new password names one that it has not
        if field is None or is_secret(name) or isinstance(field.widget, forms.PasswordInput):
            told[name] = [MASK, MASK]
        else:
            told[name] = [words_of(form.get_initial_for_field(field, name)), words_of(form.cleaned_data.get(name))]
    return told


def is_secret(name: str) -> bool:
    """By what a field is called."""
    return any(part in name for part in _SECRET)


def words_of(value: Any) -> str:
    """A value as the log has it: short; rows by their keys."""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, QuerySet | list | tuple | set):
        return "、".join(words_of(one) for one in value)[:MOST_OF_A_VALUE]
    return "" if value is None else str(value)[:MOST_OF_A_VALUE]


def _logged(action: Callable[..., Any], words: str) -> Callable[..., Any]:
    @wraps(action)
    def logged(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        before = {row.pk: row for row in queryset[:MOST_CHOSEN]}
        answer = action(model_admin, request, queryset)
        after = model_admin.model._default_manager.in_bulk(list(before))
        for key, row in before.items():
            changes = [f"{name}：{old} → {new}" for name, (old, new) in _differences(row, after.get(key)).items()]
            log_deed(model_admin, request, row, "；".join([str(words), *changes]))
        return answer

    return logged


def _differences(before: Model, after: Model | None) -> dict[str, Change]:
    fields = [field for field in before._meta.concrete_fields if after is not None]
    pairs = [(field.name, field.value_from_object(before), field.value_from_object(after)) for field in fields]  # type: ignore[arg-type]
    return {
        name: [MASK, MASK] if is_secret(name) else [words_of(old), words_of(new)]
        for name, old, new in pairs
        if old != new
    }


def log_deed(model_admin: Any, request: HttpRequest, row: Model, words: str) -> None:
    """Write down what somebody did with a row other than by its form."""
    model_admin.log_change(request, row, words)
