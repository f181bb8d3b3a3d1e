"""The admin is completely in Chinese: apps, models, columns, fields, filters, actions."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import polib  # type: ignore[import-untyped]
import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, label_for_field
from django.test import RequestFactory
from django.utils.translation import gettext, override

from diagnosis.tests.conftest import make_signed_in_client
from testing.data.diagnoses import make_user

CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAME_IN_CHINESE = {"ID", "id", "-"}


def _get_words(model_admin: admin.ModelAdmin[Any], request: Any) -> Iterator[tuple[str, str]]:
    """Yield (location, text) of all texts in the list and the form of a model."""
    options = model_admin.model._meta
    yield "app", str(options.app_config.verbose_name if options.app_config else "")
    yield "model", str(options.verbose_name_plural)
    for column in model_admin.get_list_display(request):
        if isinstance(column, str) and column not in ("__str__", "action_checkbox"):
            yield f"column {column}", str(label_for_field(column, model_admin.model, model_admin))
    form = model_admin.get_form(request)() if model_admin.has_change_permission(request) else None
    for name in flatten_fieldsets(model_admin.get_fieldsets(request)):
        own = form.fields[name].label if form and name in form.fields else None
        yield f"field {name}", str(own or label_for_field(name, model_admin.model, model_admin, form=form))
    for name, description in model_admin.get_action_choices(request, default_choices=[]):
        yield f"action {name}", str(description)


@pytest.mark.django_db
def test_admin_pages_contain_no_untranslated_text(rf: RequestFactory) -> None:
    request = rf.get("/admin/")
    request.user = make_user("root", is_staff=True, is_superuser=True)  # type: ignore[assignment]
    with override("zh-hans"):
        english = [
            f"{model._meta.label}: {where}: {word}"
            for model, model_admin in admin.site._registry.items()
            for where, word in _get_words(model_admin, request)
            if not CHINESE.search(word) and word not in SAME_IN_CHINESE
        ]
    assert english == [], "\n".join(english)


@pytest.mark.django_db
def test_permissions_are_listed_in_chinese() -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    with override("zh-hans"):
        for path, name in (
            ("/admin/auth/group/add/", "permissions"),
            (f"/admin/diagsite/user/{root.pk}/change/", "user_permissions"),
        ):
            field = make_signed_in_client(root).get(path).context["adminform"].form.fields[name]
            labels = [str(label) for _value, label in field.choices]
            assert len(labels) > 50
            assert [label for label in labels if "Can " in label] == []
            assert "AI 平台" in " ".join(labels)


@pytest.mark.django_db
def test_texts_that_django_does_not_translate_are_chinese() -> None:
    base, english = Path(django.__file__).parent, []
    with override("zh-hans"):
        for app in ("contrib/admin", "contrib/auth", "conf"):
            source = polib.pofile(str(base / app / "locale/en/LC_MESSAGES/django.po"))
            texts = [entry.msgid for entry in source if re.search("[a-z] [a-z]", entry.msgid)]
            english += [text for text in texts if gettext(text) == text]
    assert english == []  # a new release of Django may bring more
    client = make_signed_in_client(make_user("root", is_staff=True, is_superuser=True))
    scripts = client.get("/admin/jsi18n/").content.decode()
    assert json.dumps("（按一下清除）") in scripts
