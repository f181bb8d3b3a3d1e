"""Panels: the same brand, questions and platforms in any order, case and width."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import AbstractUser
from django.db import connection

from diagnosis.models import Diagnosis, Platform
from diagnosis.orders.retries import create_retry
from diagnosis.orders.services import RequestContext
from diagnosis.trends.panels import compute_panel_key
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_platform, make_valid_result, run_and_end


def test_panel_key_ignores_order_case_width_and_spaces() -> None:
    panel = compute_panel_key("Kettle", ["哪个好？", "Which one"], ["a", "b"])
    assert len(panel) == 64
    assert compute_panel_key(" ＫＥＴＴＬＥ ", ["which  ONE", "哪个好?"], ["b", "a"]) == panel
    assert compute_panel_key("Kettle", ["哪个好？"], ["a", "b"]) != panel
    assert compute_panel_key("Kettle", ["哪个好？", "Which one"], ["a"]) != panel
    assert compute_panel_key("Pot", ["哪个好？", "Which one"], ["a", "b"]) != panel


def test_stored_panel_key_never_changes() -> None:
    assert compute_panel_key("山岚", ["哪个手冲壶好？"], ["fake"]).startswith("97e78d08eead01d2")


def test_diagnosis_and_its_retry_have_the_same_panel(owner: AbstractUser, platform: Platform) -> None:
    source = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result(), make_failed_result()
    )
    retry, _is_new = create_retry(source, RequestContext(owner))
    assert source.panel == retry.panel == compute_panel_key("山岚", ["乙？", "甲？"], [platform.pk])


def test_migration_fills_missing_panels_and_is_idempotent(
    owner: AbstractUser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_diagnosis(owner, [platform, make_platform(f"p{n}")], brand=f"品牌{n}") for n in range(3)]
    expected = {diagnosis.pk: diagnosis.panel for diagnosis in made}
    assert len(set(expected.values())) == 3
    Diagnosis.objects.update(panel="")
    migration = import_module("diagnosis.migrations.0009_panels_filled")
    monkeypatch.setattr(migration, "AT_ONCE", 2)
    for _time in range(2):
        with connection.schema_editor(atomic=False) as editor:
            migration.fill_panels(apps, editor)
        assert dict(Diagnosis.objects.values_list("pk", "panel")) == expected
