"""The overview and the runs of a workspace: the figures are those of the reports, in few queries."""

import csv
import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diagnosis.choices import PlatformSurface, Ternary
from diagnosis.corrections.services import add_alias
from diagnosis.models import Answer, Diagnosis, Platform, RunFigure
from diagnosis.orders.services import RequestedBrand
from diagnosis.replies import PlatformReply, SearchRecord
from diagnosis.running.results import CallResult
from diagnosis.workspaces import archive
from testing.data.diagnoses import (
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_schedule,
    make_valid_result,
    run_and_end,
)

QUESTIONS = [f"问题 {number}？" for number in range(10)]


def _run(owner: AbstractUser, platforms: list[Platform], named: int, **order: Any) -> Diagnosis:
    """Ten questions asked three times. The first `named` answers mention the brand, all its competitor."""
    usual: dict[str, Any] = {"questions": QUESTIONS, "repeats": 3, "competitors": [RequestedBrand("木石坊")]}
    diagnosis = make_diagnosis(owner, platforms, **(usual | order))
    texts = ["山岚和木石坊都好。"] * named + ["木石坊好。"] * (diagnosis.planned - named)
    return run_and_end(diagnosis, *map(make_valid_result, texts))


def _overview(client: Client, workspace: uuid.UUID | None, **query: str) -> Any:
    response = client.get(f"/api/workspaces/{workspace}/overview", query)
    assert response.status_code == 200, response.content
    return response.json()


def test_overview_without_runs_is_empty(client: Client) -> None:
    created = client.post("/api/workspaces", {"name": "山岚"}, content_type="application/json").json()
    body = _overview(client, created["id"])
    assert (body["headline"]["kind"], body["latest"], body["tiles"], body["trend"]) == ("empty", None, [], [])


def test_overview_shows_figures_changes_and_trend_of_the_reports(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    runs = [_run(owner, [platform], named) for named in (4, 5)]
    body = _overview(client, runs[0].workspace_id)
    assert (body["headline"]["kind"], body["headline"]["changes"]) == ("unchanged", [])
    assert body["headline"]["since"] == runs[0].created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    runs.append(_run(owner, [platform], 28))
    body = _overview(client, runs[0].workspace_id)
    assert body["headline"]["kind"] == "changed"
    assert [(row["name"], row["changed"]) for row in body["headline"]["changes"]] == [("山岚", "up")]
    figures = client.get(f"/api/diagnoses/{runs[2].pk}/report").json()["brands"][0]["figures"]
    tiles = {tile["name"]: tile for tile in body["tiles"]}
    rate = tiles["mention_rate"]
    assert (rate["k"], rate["n"], rate["value"], rate["previous"], rate["changed"]) == (28, 30, 28 / 30, 5 / 30, "up")
    assert (rate["low"], rate["high"]) == (figures["mention_rate_low"], figures["mention_rate_high"])
    assert (tiles["first_mention_rate"]["value"], tiles["share_of_voice"]["value"]) == (
        figures["first_mention_rate"],
        figures["share_of_voice"],
    )
    assert (tiles["own_site_rate"]["k"], tiles["own_site_rate"]["value"]) == (None, None)
    assert [[brand["k"] for brand in point["brands"]] for point in body["trend"]] == [[4, 30], [5, 30], [28, 30]]
    assert [(row["id"], row["k"], row["previous"]) for row in body["platforms"]] == [("fake", 28, 5 / 30)]
    assert {row["text"] for row in body["lost"]} <= set(QUESTIONS)
    assert body["panels"] == [body["panels"][0] | {"key": body["panel"], "runs": 3, "running": 0}]


def test_panels_are_apart_and_unfinished_runs_are_counted(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    usual = _run(owner, [platform], 3)
    other = run_and_end(make_diagnosis(owner, [platform]), make_failed_result())  # without an answer
    make_diagnosis(owner, [platform])
    body = _overview(client, usual.workspace_id)
    assert (body["panel"], body["running"], body["latest"]["id"]) == (usual.panel, 1, str(usual.pk))
    assert _overview(client, usual.workspace_id, panel=other.panel)["headline"]["kind"] == "empty"


def test_correction_updates_the_stored_figures_and_the_next_change(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    before, after = _run(owner, [platform], 3), _run(owner, [platform], 3)
    for run in (before, after):
        Answer.objects.filter(diagnosis=run, text="木石坊好。").update(text="木石坊好，Shanlan也好。")
    add_alias(before, "山岚", "Shanlan", owner)
    body = _overview(client, before.workspace_id)
    assert body["headline"]["kind"] == "unchanged"  # the competitor is still counted alike
    assert [point["brands"][0]["k"] for point in body["trend"]] == [30, 3]
    add_alias(after, "山岚", "Shanlan", owner)
    assert [point["brands"][0]["k"] for point in _overview(client, before.workspace_id)["trend"]] == [30, 30]


def test_overview_takes_at_most_eight_queries_and_reads_no_report(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    other = make_platform("other")
    run = next(iter([_run(owner, [platform, other], named) for named in (3, 9, 4)]))
    make_schedule(owner, [platform], workspace=run.workspace)
    client.get("/api/workspaces")
    with CaptureQueriesContext(connection) as captured:
        assert len(_overview(client, run.workspace_id)["schedules"]) == 1
    statements = [query["sql"] for query in captured.captured_queries]
    assert len(statements) <= 8, statements
    assert not [sql for sql in statements if '"report"' in sql or "diagnosis_answer" in sql]


def test_runs_are_paged_with_figures_and_changes(client: Client, owner: AbstractUser, platform: Platform) -> None:
    runs = [_run(owner, [platform], named) for named in (3, 28)]
    running = make_diagnosis(owner, [platform])
    page = client.get(f"/api/workspaces/{running.workspace_id}/runs").json()
    assert [row["id"] for row in page["items"]] == [str(run.pk) for run in (running, *runs[::-1])]
    assert [row["figure"] and row["figure"]["k"] for row in page["items"]] == [None, 28, 3]
    assert [row["change"] and row["change"]["changed"] for row in page["items"]] == [None, "up", None]
    assert {row["by"] for row in page["items"]} == {"owner"}
    assert page["items"][1]["models"] == {"平台 fake": ["model-1"]}


def test_figures_are_those_of_the_report_by_platform_and_surface(owner: AbstractUser, platform: Platform) -> None:
    searching = make_platform("searching", surface="search")
    diagnosis = make_diagnosis(owner, [platform, searching], competitors=[RequestedBrand("木石坊")], repeats=4)
    search = SearchRecord(requested=True, happened=Ternary.YES)
    found = PlatformReply("木石坊好。", "model-1", search=search, surface=PlatformSurface.SEARCH)
    results = [make_valid_result("山岚好。"), CallResult(found, None, 1, 5)] * 4
    run = run_and_end(diagnosis, *results)
    figures = RunFigure.objects.filter(diagnosis=run)
    assert {(row.name, row.surface, row.platform) for row in figures} == {
        (name, surface, platform)
        for name in ("山岚", "木石坊")
        for surface, id in (("memory", "fake"), ("search", "searching"))
        for platform in ("", id)
    }
    for brand in (run.report or {})["brands"]:
        stored = figures.get(name=brand["name"], platform="fake")
        expected = brand["by_platform"]["fake"]
        assert (stored.k, stored.n, stored.first) == tuple(
            expected[name] for name in ("mentions", "valid", "first_mentions")
        )


def test_archive_has_settings_figures_and_complete_runs(
    client: Client, owner: AbstractUser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "RUNS_PER_PART", 2)
    runs = [_run(owner, [platform], named, questions=["甲？"]) for named in (1, 2, 3)]

    def read(part: int) -> zipfile.ZipFile:
        response = client.get(f"/api/workspaces/{runs[0].workspace_id}/export.zip", {"part": part})
        assert response.status_code == 200
        assert ".zip" in response["Content-Disposition"]
        return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined]

    first, second = read(1), read(2)
    settings = json.loads(first.read("workspace.json"))
    assert (settings["parts"], [brand["name"] for brand in settings["names"]]) == (2, ["山岚", "木石坊"])
    figures = list(csv.DictReader(io.StringIO(first.read("figures.csv").decode("utf-8-sig"))))
    own = [row for row in figures if row["is_own"] == "true" and not row["platform"]]
    assert [(row["run"], row["k"], row["n"]) for row in own] == [
        (str(run.pk), str(run.report["brands"][0]["figures"]["mentions"]), "3") for run in runs[::-1] if run.report
    ]
    names = [name for archived in (first, second) for name in archived.namelist() if name.startswith("runs/")]
    assert [name[14:50] for name in names] == [str(run.pk) for run in runs[::-1]]
    document = json.loads(second.read(names[2]))
    assert (document["report"]["diagnosis"]["id"], len(document["answers"])) == (str(runs[0].pk), 3)
    assert client.get(f"/api/workspaces/{runs[0].workspace_id}/export.zip", {"part": 3}).status_code == 404
