"""Names: a change is previewed, counted into all runs, interrupted, undone; found names are decided."""

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction
from django.test import Client

from diagnosis.corrections import recount
from diagnosis.corrections.services import MentionSpan, confirm_or_reject_mention
from diagnosis.models import (
    Answer,
    Brand,
    Correction,
    Diagnosis,
    NameCandidate,
    Platform,
    Spelling,
    TrackedBrand,
    Workspace,
)
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.service import build_report_from_database
from diagnosis.workspaces.candidates import record_candidates
from diagnosis.workspaces.names import BrandNames, store_names, unite_names
from testing.data.diagnoses import make_diagnosis, make_valid_result, run_and_end

TEXTS = ["山岚好。", "Shanlan也行。", "木石坊和铁匠铺。", "铁匠铺。"]


def _run(owner: AbstractUser, platform: Platform, **order: Any) -> Diagnosis:
    usual: dict[str, Any] = {"questions": [f"问题 {number}？" for number in range(4)]}
    usual["competitors"] = [RequestedBrand("木石坊"), RequestedBrand("铁匠铺")]
    return run_and_end(make_diagnosis(owner, [platform], **(usual | order)), *map(make_valid_result, TEXTS))


def _post(client: Client, workspace: uuid.UUID | None, path: str, body: Any, status: int = 200) -> Any:
    response = client.post(f"/api/workspaces/{workspace}/{path}", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def _names(client: Client, workspace: uuid.UUID | None) -> Any:
    return client.get(f"/api/workspaces/{workspace}/brands").json()


def _reports() -> Any:
    return Diagnosis.objects.order_by("created_at").values_list("report", flat=True)


def _rates(diagnosis: Diagnosis) -> dict[str, int]:
    diagnosis.refresh_from_db()
    return {brand["name"]: brand["figures"]["mentions"] for brand in (diagnosis.report or {})["brands"]}


def test_alias_is_previewed_then_counted_in_all_runs_and_undone(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    runs = [_run(owner, platform) for _ in range(3)]
    workspace, before = runs[0].workspace_id, list(_reports())
    names = _names(client, workspace)
    assert [brand["name"] for brand in names["brands"]] == ["山岚", "木石坊", "铁匠铺"]
    assert (names["names_version"], names["recount"]) == (1, {"done": 3, "total": 3})
    names["brands"][0]["aliases"] = ["Shanlan"]
    preview = _post(client, workspace, "names/preview", {"brands": names["brands"]})
    rates = [(row["name"], row["before"]["k"], row["after"]["k"]) for row in preview["brands"]]
    assert rates == [("山岚", 1, 2), ("木石坊", 1, 1), ("铁匠铺", 2, 2)]
    assert (preview["diagnosis"], preview["runs"]) == (str(runs[2].pk), 3)
    assert list(_reports()) == before
    applied = _post(client, workspace, "names/apply", {"brands": names["brands"], "names_version": 1})
    assert (applied["names_version"], applied["recount"]) == (2, {"done": 0, "total": 3})
    assert workspace
    assert recount.recount_next(workspace)  # the job is killed after one run
    assert [_rates(run)["山岚"] for run in runs] == [1, 1, 2]
    assert client.get(f"/api/workspaces/{workspace}/overview").json()["recount"] == {"done": 1, "total": 3}
    assert recount.recount_workspace(workspace) == 2
    for run in runs:
        assert _rates(run)["山岚"] == 2
        assert run.report == build_report_from_database(run)
        assert (run.revision, run.report_revision, run.names_version) == (1, 1, 2)
    trend = client.get(f"/api/workspaces/{workspace}/overview").json()["trend"]
    assert [point["brands"][0]["k"] for point in trend] == [2, 2, 2]
    exported = client.get(f"/api/diagnoses/{runs[0].pk}/export.json")
    document = json.loads(b"".join(exported.streaming_content))  # type: ignore[attr-defined]
    assert document["report"]["brands"][0]["figures"]["mentions"] == 2
    _post(client, workspace, "names/undo", {"names_version": 2})
    recount.recount_workspace(workspace)
    assert list(_reports()) == before
    assert _names(client, workspace)["brands"][0]["aliases"] == []


def test_merge_counts_answers_that_name_either_once_and_keeps_corrections(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    run = _run(owner, platform)
    rejected = Answer.objects.get(text="铁匠铺。")
    confirm_or_reject_mention(run, MentionSpan(rejected.pk, "铁匠铺", 0, 3), owner, is_confirmed=False)
    names = _names(client, run.workspace_id)
    own, kept, merged = names["brands"]
    body = {"brands": [own, kept | {"aliases": [merged["name"]]}], "names_version": names["names_version"]}
    _post(client, run.workspace_id, "names/apply", body)
    assert run.workspace_id
    recount.recount_workspace(run.workspace_id)
    assert _rates(run) == {"山岚": 1, "木石坊": 1}  # both names stand in one answer; the other one is rejected
    _post(client, run.workspace_id, "names/undo", {"names_version": 2})
    recount.recount_workspace(run.workspace_id)
    assert _rates(run) == {"山岚": 1, "木石坊": 1, "铁匠铺": 1}


def test_recount_includes_corrections_that_wait_for_their_job(owner: AbstractUser, platform: Platform) -> None:
    run = _run(owner, platform)
    assert run.workspace_id
    alias = Correction.objects.create(
        diagnosis=run, kind=Correction.Kind.ALIAS, brand="山岚", alias="Shanlan", user_id=owner.pk
    )
    Diagnosis.objects.update(revision=alias.pk)
    Brand.objects.filter(diagnosis=run, is_own=True).update(aliases=["Shanlan"])
    Workspace.objects.update(names_version=2)
    recount.recount_workspace(run.workspace_id)
    assert _rates(run)["山岚"] == 2


def test_old_names_stay_until_an_editor_recounts_them(client: Client, owner: AbstractUser, platform: Platform) -> None:
    run = _run(owner, platform)
    Diagnosis.objects.update(names_version=None)
    names = _names(client, run.workspace_id)
    names["brands"][0]["aliases"] = ["Shanlan"]
    _post(client, run.workspace_id, "names/apply", {"brands": names["brands"], "names_version": 1})
    assert run.workspace_id
    assert recount.recount_workspace(run.workspace_id) == 0
    body = {"brands": names["brands"], "names_version": 2, "recount_old": True}
    _post(client, run.workspace_id, "names/apply", body)
    assert recount.recount_workspace(run.workspace_id) == 1
    assert _rates(run)["山岚"] == 2


def test_wrong_names_are_refused_with_their_fields(client: Client, owner: AbstractUser, platform: Platform) -> None:
    run = _run(owner, platform)
    names = _names(client, run.workspace_id)
    own, rival, other = names["brands"]
    cases: list[tuple[list[Any], str]] = [
        ([own, rival | {"aliases": ["ｓｈａｎｌａｎ"]}, other | {"name": "Shanlan"}], "brands.2.name"),
        ([rival, other], "brands"),
        ([own | {"is_own": False}, rival | {"is_own": True}], "brands.0.is_own"),
        ([own | {"id": str(uuid.uuid4())}], "brands.0.id"),
        ([own, *({"name": f"竞品{number}"} for number in range(11))], "brands"),
    ]
    for brands, field in cases:
        response = client.post(
            f"/api/workspaces/{run.workspace_id}/names/apply",
            {"brands": brands, "names_version": 1},
            content_type="application/json",
        )
        assert response.status_code == 422, field
        assert field in response.json()["fields"]
    _post(client, run.workspace_id, "names/apply", {"brands": names["brands"], "names_version": 7}, 409)
    _post(client, run.workspace_id, "names/undo", {"names_version": 1}, 404)


def test_two_brands_cannot_get_one_spelling(owner: AbstractUser, platform: Platform) -> None:
    _run(owner, platform)
    brand = TrackedBrand.objects.get(name="铁匠铺")
    with pytest.raises(IntegrityError), transaction.atomic():
        Spelling.objects.create(workspace=brand.workspace, brand=brand, text="山岚", key="山岚")
    assert Spelling.objects.filter(key="山岚").count() == 1


def test_found_names_are_listed_and_decided(client: Client, owner: AbstractUser, platform: Platform) -> None:
    run = _run(owner, platform)
    Answer.objects.filter(text="山岚好。").update(others=["Hario", "KINTO"], text="山岚、Hario 和 KINTO 都好。")
    NameCandidate.objects.all().delete()
    record_candidates(run)
    record_candidates(run)
    workspace = run.workspace_id

    def listed(state: str = "new") -> dict[str, Any]:
        rows = client.get(f"/api/workspaces/{workspace}/candidates", {"state": state}).json()
        return {row["name"]: row for row in rows}

    found = listed()
    assert [(row["answers"], row["questions"], row["platforms"]) for row in found.values()] == [(1, 1, ["fake"])] * 2
    assert "Hario" in found["Hario"]["example"]["text"]
    _post(client, workspace, f"candidates/{found['KINTO']['id']}/ignore", {}, 204)
    accepted = _post(client, workspace, f"candidates/{found['Hario']['id']}/accept", {"names_version": 1})
    assert [brand["name"] for brand in accepted["brands"]] == ["山岚", "木石坊", "铁匠铺", "Hario"]
    assert (listed(), set(listed("ignored")), set(listed("accepted"))) == ({}, {"KINTO"}, {"Hario"})
    assert workspace
    recount.recount_workspace(workspace)
    assert _rates(run)["Hario"] == 1
    _post(client, workspace, f"candidates/{found['Hario']['id']}/ignore", {}, 409)
    _post(client, workspace, f"candidates/{found['Hario']['id']}/restore", {"names_version": 2})
    _post(client, workspace, f"candidates/{found['KINTO']['id']}/restore", {"names_version": 3})
    assert set(listed()) == {"Hario", "KINTO"}
    own = accepted["brands"][0]["id"]
    _post(
        client,
        workspace,
        f"candidates/{found['KINTO']['id']}/merge",
        {"names_version": 3, "brand": str(uuid.uuid4())},
        422,
    )
    merged = _post(client, workspace, f"candidates/{found['KINTO']['id']}/merge", {"names_version": 3, "brand": own})
    assert merged["brands"][0]["aliases"] == ["KINTO"]
    assert listed("merged")["KINTO"]["brand"] == own


def test_orders_with_other_names_keep_their_own(owner: AbstractUser, platform: Platform) -> None:
    first = make_diagnosis(owner, [platform], aliases=["Shanlan"])
    same = make_diagnosis(owner, [platform], aliases=["SHANLAN"])
    other = make_diagnosis(owner, [platform])
    assert [one.names_version for one in (first, same, other)] == [1, 1, None]


def test_lost_recounts_are_enqueued_again(owner: AbstractUser, platform: Platform) -> None:
    run = _run(owner, platform)
    assert recount.requeue_recounts() == 0
    Workspace.objects.update(names_version=2)
    assert [recount.requeue_recounts(), recount.requeue_recounts()] == [1, 0]
    assert run.workspace
    store_names(run.workspace, [BrandNames("山岚", is_own=True)])


def test_union_of_names_prefers_the_newest() -> None:
    newest = [BrandNames("山岚", ("Shanlan",), ("a.example",), is_own=True), BrandNames("木石坊", ("MSF",))]
    older = [
        BrandNames("山岚", ("MSF", "岚"), ("b.example",), is_own=True),
        BrandNames("木石 坊"),
        BrandNames("岚"),
        BrandNames("铁匠铺"),
    ]
    names, clashes = unite_names([newest, older])
    assert [(brand.name, brand.aliases) for brand in names] == [
        ("山岚", ("Shanlan", "岚")),
        ("木石坊", ("MSF",)),
        ("木石 坊", ()),
        ("铁匠铺", ()),
    ]
    assert (names[0].sites, names[0].is_own) == (("a.example", "b.example"), True)
    assert clashes == ["MSF", "岚"]
