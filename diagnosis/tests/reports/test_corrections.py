"""What the user knows better: rows, hits, report and cache change together, and can be taken back."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse

from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.service import REPORT_VERSION
from performance.cache import invalidate_tags
from testing.diagnosis_rows import begin_and_record, make_diagnosis, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = ["最近苹果涨价了。", "苹果手机好。Pingguo 也行。"]


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    """Two answers: one may name the brand, one does, once under a name that nobody knows yet."""
    order = make_diagnosis(
        owner, [platform], brand="苹果", competitors=[RequestedBrand("木石坊")], questions=["甲？", "乙？"]
    )
    return run_and_end(order, *map(make_valid_result, TEXTS))


def _answers(client: Client, diagnosis: Diagnosis) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = client.get(f"/api/diagnoses/{diagnosis.pk}/answers").json()["items"]
    return answers


def _figures(client: Client, diagnosis: Diagnosis) -> tuple[int, int]:
    """(answers that name the own brand, answers that may)."""
    body = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    figures = body["brands"][0]["figures"]
    return figures["mentions"], figures["uncertain"]


def _post(client: Client, diagnosis: Diagnosis, **body: Any) -> Any:
    return client.post(f"/api/diagnoses/{diagnosis.pk}/corrections", json.dumps(body), content_type="application/json")


def _hit(answer: dict[str, Any], number: int = 0) -> dict[str, Any]:
    mention = answer["mentions"][number]
    return {"answer": answer["id"]} | {name: mention[name] for name in ("brand", "start", "end")}


def test_an_uncertain_hit_counts_once_it_is_confirmed_and_no_more_when_that_is_taken_back(
    client: Client, diagnosis: Diagnosis
) -> None:
    first, _second = _answers(client, diagnosis)
    assert [one["state"] for one in first["mentions"]] == ["uncertain"]
    assert _figures(client, diagnosis) == (1, 1)
    said = _post(client, diagnosis, kind="confirm", **_hit(first))
    assert (said.status_code, said.json()["kind"]) == (200, "confirm")
    assert _figures(client, diagnosis) == (2, 0)
    assert _answers(client, diagnosis)[0]["mentions"][0]["state"] == "confirmed"
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{said.json()['id']}").status_code == 204
    assert _figures(client, diagnosis) == (1, 1)


def test_a_rejected_hit_is_gone_and_may_be_confirmed_again(client: Client, diagnosis: Diagnosis) -> None:
    hit = _hit(_answers(client, diagnosis)[1])
    _post(client, diagnosis, kind="reject", **hit)
    assert _figures(client, diagnosis)[0] == 0
    assert _answers(client, diagnosis)[1]["mentions"] == []
    _post(client, diagnosis, kind="confirm", **hit)
    assert _figures(client, diagnosis)[0] == 1
    assert len(client.get(f"/api/diagnoses/{diagnosis.pk}/corrections").json()) == 1


def test_an_alias_counts_in_every_answer_and_forgets_no_verdict(client: Client, diagnosis: Diagnosis) -> None:
    _post(client, diagnosis, kind="reject", **_hit(_answers(client, diagnosis)[0]))
    said = _post(client, diagnosis, kind="alias", brand="苹果", alias="PINGGUO")
    assert said.status_code == 200
    assert [len(one["mentions"]) for one in _answers(client, diagnosis)] == [0, 2]
    assert client.get(f"/api/diagnoses/{diagnosis.pk}").json()["brands"][0]["aliases"] == ["PINGGUO"]
    client.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{said.json()['id']}")
    assert [len(one["mentions"]) for one in _answers(client, diagnosis)] == [0, 1]


def test_what_makes_no_sense_is_refused_by_its_field(client: Client, diagnosis: Diagnosis) -> None:
    hit = _hit(_answers(client, diagnosis)[0])
    for body, field in [
        (hit | {"kind": "confirm", "start": 1}, "start"),
        (hit | {"kind": "reject", "brand": "木石坊"}, "start"),
        ({"kind": "alias", "brand": "没有", "alias": "x"}, "brand"),
        ({"kind": "alias", "brand": "苹果", "alias": "木石坊"}, "alias"),
        ({"kind": "alias", "brand": "苹果", "alias": "\u0000"}, "alias"),
        ({"kind": "other"}, "body"),
    ]:
        refused = _post(client, diagnosis, **body)
        assert refused.status_code in (400, 422), body
        assert field in str(refused.json()["fields"]), body
    assert diagnosis.corrections.count() == 0


def test_only_who_sees_the_diagnosis_may_correct_it(
    client: Client, client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    body = {"kind": "alias", "brand": "苹果", "alias": "PINGGUO"}
    assert _post(client_of_stranger, diagnosis, **body).status_code == 404
    assert _post(Client(), diagnosis, **body).status_code == 401
    said = _post(client_of_staff, diagnosis, **body)
    assert said.status_code == 200
    assert (
        client_of_stranger.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{said.json()['id']}").status_code == 404
    )


def test_a_running_diagnosis_is_not_corrected(client: Client, owner: AbstractUser, platform: Platform) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    refused = _post(client, running, kind="alias", brand="山岚", alias="x")
    assert (refused.status_code, refused.json()["code"]) == (409, "DIAGNOSIS_RUNNING")


@pytest.mark.parametrize("stored", [None, {}, {"planned": 2, "valid": 2, "brands": [], "platforms": []}, []])
def test_a_report_of_an_older_form_is_made_anew_when_it_is_read(
    client: Client, diagnosis: Diagnosis, stored: Any
) -> None:
    new = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    Diagnosis.objects.filter(pk=diagnosis.pk).update(report=stored)
    Answer.objects.update(others=None, domains=None)
    invalidate_tags(f"diagnosis:{diagnosis.pk}")
    old = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert old["version"] == REPORT_VERSION
    assert old == new


def test_operators_see_the_corrections(client_of_staff: Client, staff: AbstractUser) -> None:
    staff.is_superuser = True
    staff.save()
    assert client_of_staff.get(reverse("admin:diagnosis_correction_changelist")).status_code == 200


def _add_competitor(client: Client, diagnosis: Diagnosis, name: str) -> Any:
    body = json.dumps({"name": name})
    return client.post(f"/api/diagnoses/{diagnosis.pk}/competitors", body, content_type="application/json")


def _rates(client: Client, diagnosis: Diagnosis) -> dict[str, float]:
    brands = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["brands"]
    return {brand["name"]: brand["figures"]["mention_rate"] for brand in brands}


def test_a_brand_that_the_answers_name_is_added_as_a_competitor_and_taken_away_again(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    diagnosis = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]),
        make_valid_result("小米手机好。"),
        make_valid_result(),
    )
    assert [one["name"] for one in client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["others"]] == ["小米"]
    added = _add_competitor(client, diagnosis, "小米").json()
    assert added == {"name": "小米", "aliases": [], "is_own": False, "is_added": True}
    assert _rates(client, diagnosis) == {"山岚": 0.5, "小米": 0.5}
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert (report["others"], len(report["lost"])) == ([], 1)
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/小米").status_code == 204
    assert _rates(client, diagnosis) == {"山岚": 0.5}


def test_a_competitor_of_the_order_stays_and_none_is_added_twice_or_without_end(
    client: Client, client_of_stranger: Client, diagnosis: Diagnosis
) -> None:
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/木石坊").status_code == 404
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/苹果").status_code == 404
    assert "name" in _add_competitor(client, diagnosis, "木石坊").json()["fields"]
    assert _add_competitor(client_of_stranger, diagnosis, "甲/乙").status_code == 404
    for number in range(9):
        assert _add_competitor(client, diagnosis, f"甲/乙 {number}").status_code == 200
    assert "name" in _add_competitor(client, diagnosis, "再来一个").json()["fields"]
    assert client_of_stranger.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/甲/乙 8").status_code == 404
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/甲/乙 8").status_code == 204
