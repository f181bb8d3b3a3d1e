"""Diagnoses of earlier releases come into workspaces, in any number of interrupted steps, with equal reports."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command
from django.test import Client

from diagnosis.models import Diagnosis, Platform, RunFigure, RunSummary, Schedule, Workspace
from diagnosis.workspaces import fill
from testing.data.diagnoses import make_diagnosis, make_schedule, make_valid_result, run_and_end


@pytest.fixture
def old(owner: AbstractUser, stranger: AbstractUser, platform: Platform) -> list[Diagnosis]:
    """Diagnoses and a schedule as an earlier release left them: without workspaces and stored figures."""
    order = [(owner, "山岚"), (owner, "山 岚"), (owner, "ACME"), (owner, "acme "), (stranger, "山岚")]
    rows = [run_and_end(make_diagnosis(user, [platform], brand=brand), make_valid_result()) for user, brand in order]
    make_schedule(owner, [platform], brand="Ａcme")
    Diagnosis.objects.update(workspace=None, names_version=None)
    RunFigure.objects.all().delete()
    RunSummary.objects.all().delete()
    Workspace.objects.all().delete()
    return rows


def _list_reports() -> dict[Any, str]:
    return {pk: json.dumps(report) for pk, report in Diagnosis.objects.values_list("pk", "report")}


def test_interrupted_fill_ends_as_an_uninterrupted_one(
    client: Client, old: list[Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = _list_reports()
    visible = {row["id"] for row in client.get("/api/diagnoses").json()["items"]}
    monkeypatch.setattr(fill, "FILL_BATCH_SIZE", 2)
    fill.fill_workspaces(max_batches=1)
    assert Diagnosis.objects.filter(workspace=None).count() == 3
    result = fill.fill_workspaces()
    assert (result.diagnoses, result.schedules, result.summaries) == (3, 0, 3)
    again = fill.fill_workspaces()
    assert (again.diagnoses, again.schedules, again.summaries) == (0, 0, 0)
    grouped = Workspace.objects.order_by("default_for__username", "key").values_list("default_for__username", "key")
    assert list(grouped) == [("owner", "acme"), ("owner", "山 岚"), ("owner", "山岚"), ("stranger", "山岚")]
    assert Schedule.objects.get().workspace == Diagnosis.objects.get(brand="ACME").workspace
    assert _list_reports() == reports
    assert set(Diagnosis.objects.values_list("names_version", flat=True)) == {None}
    assert {row["id"] for row in client.get("/api/diagnoses").json()["items"]} == visible
    assert RunSummary.objects.count() == len(old)


def test_command_counts_first_and_fills_with_apply(old: list[Diagnosis]) -> None:
    said = StringIO()
    call_command("fill_workspaces", stdout=said)
    assert "to fill: 5 diagnoses, 1 schedules, 5 stored figures" in said.getvalue()
    assert Diagnosis.objects.filter(workspace=None).count() == 5
    call_command("fill_workspaces", "--apply", stdout=said)
    assert "filled: 5 diagnoses, 1 schedules, names of 4 workspaces, 5 stored figures" in said.getvalue()


def test_figures_that_cannot_be_computed_are_not_tried_for_ever(
    old: list[Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    Diagnosis.objects.filter(pk=old[0].pk).update(report={"version": 5, "surface": []})
    assert fill.fill_workspaces().summaries == 5
    assert fill.fill_workspaces().summaries == 0
    assert RunSummary.objects.get(diagnosis=old[0]).platforms == []
