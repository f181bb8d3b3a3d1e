"""Corrections: rows, mentions, report and cache change together, and each correction can be undone."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from diagnosis.analysis.columns import reanalyse_answers
from diagnosis.corrections import recalculation
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.service import REPORT_VERSION
from diagnosis.tasks import recalculate_job
from performance.cache import invalidate_tags
from testing.data.diagnoses import begin_and_record, make_diagnosis, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = ["最近苹果涨价了。", "苹果手机好。Pingguo 也行。"]


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    """Two answers: an uncertain mention; a certain mention and an unknown alias."""
    order = make_diagnosis(
        owner, [platform], brand="苹果", competitors=[RequestedBrand("木石坊")], questions=["甲？", "乙？"]
    )
    return run_and_end(order, *map(make_valid_result, TEXTS))


def _answers(client: Client, diagnosis: Diagnosis) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = client.get(f"/api/diagnoses/{diagnosis.pk}/answers").json()["items"]
    return answers


def _figures(client: Client, diagnosis: Diagnosis) -> tuple[int, int]:
    """Return (answers with a certain mention, answers with uncertain mentions only) of the own brand."""
    body = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    figures = body["brands"][0]["figures"]
    return figures["mentions"], figures["uncertain"]


def _post(client: Client, diagnosis: Diagnosis, **body: Any) -> Any:
    return client.post(f"/api/diagnoses/{diagnosis.pk}/corrections", json.dumps(body), content_type="application/json")


def _get_span(answer: dict[str, Any], number: int = 0) -> dict[str, Any]:
    mention = answer["mentions"][number]
    return {"answer": answer["id"]} | {name: mention[name] for name in ("brand", "start", "end")}


def test_confirming_an_uncertain_mention_counts_it_until_undone(client: Client, diagnosis: Diagnosis) -> None:
    first, _second = _answers(client, diagnosis)
    assert [mention["state"] for mention in first["mentions"]] == ["uncertain"]
    assert _figures(client, diagnosis) == (1, 1)
    correction = _post(client, diagnosis, kind="confirm", **_get_span(first))
    assert (correction.status_code, correction.json()["kind"]) == (200, "confirm")
    assert _figures(client, diagnosis) == (2, 0)
    assert _answers(client, diagnosis)[0]["mentions"][0]["state"] == "confirmed"
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{correction.json()['id']}").status_code == 204
    assert _figures(client, diagnosis) == (1, 1)


def test_rejected_mention_is_removed_and_can_be_confirmed_again(client: Client, diagnosis: Diagnosis) -> None:
    span = _get_span(_answers(client, diagnosis)[1])
    _post(client, diagnosis, kind="reject", **span)
    assert _figures(client, diagnosis)[0] == 0
    assert _answers(client, diagnosis)[1]["mentions"] == []
    _post(client, diagnosis, kind="confirm", **span)
    assert _figures(client, diagnosis)[0] == 1
    assert len(client.get(f"/api/diagnoses/{diagnosis.pk}/corrections").json()) == 1


def test_alias_counts_in_all_answers_and_keeps_decisions(client: Client, diagnosis: Diagnosis) -> None:
    _post(client, diagnosis, kind="reject", **_get_span(_answers(client, diagnosis)[0]))
    correction = _post(client, diagnosis, kind="alias", brand="苹果", alias="PINGGUO")
    assert correction.status_code == 200
    assert [len(answer["mentions"]) for answer in _answers(client, diagnosis)] == [0, 2]
    assert client.get(f"/api/diagnoses/{diagnosis.pk}").json()["brands"][0]["aliases"] == ["PINGGUO"]
    client.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{correction.json()['id']}")
    assert [len(answer["mentions"]) for answer in _answers(client, diagnosis)] == [0, 1]


def test_invalid_correction_is_rejected_with_its_field(client: Client, diagnosis: Diagnosis) -> None:
    span = _get_span(_answers(client, diagnosis)[0])
    for body, field in [
        (span | {"kind": "confirm", "start": 1}, "start"),
        (span | {"kind": "reject", "brand": "木石坊"}, "start"),
        ({"kind": "alias", "brand": "没有", "alias": "x"}, "brand"),
        ({"kind": "alias", "brand": "苹果", "alias": "木石坊"}, "alias"),
        ({"kind": "alias", "brand": "苹果", "alias": "\u0000"}, "alias"),
        ({"kind": "other"}, "body"),
    ]:
        response = _post(client, diagnosis, **body)
        assert response.status_code in (400, 422), body
        assert field in str(response.json()["fields"]), body
    assert diagnosis.corrections.count() == 0


def test_correction_requires_access_to_the_diagnosis(
    client: Client, client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis
) -> None:
    body = {"kind": "alias", "brand": "苹果", "alias": "PINGGUO"}
    assert _post(client_of_stranger, diagnosis, **body).status_code == 404
    assert _post(Client(), diagnosis, **body).status_code == 401
    correction = _post(client_of_staff, diagnosis, **body)
    assert correction.status_code == 200
    assert (
        client_of_stranger.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{correction.json()['id']}").status_code
        == 404
    )


def test_correction_of_a_running_diagnosis_is_rejected(client: Client, owner: AbstractUser, platform: Platform) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    response = _post(client, running, kind="alias", brand="山岚", alias="x")
    assert (response.status_code, response.json()["code"]) == (409, "DIAGNOSIS_RUNNING")


@pytest.mark.parametrize("stored", [None, {}, {"planned": 2, "valid": 2, "brands": [], "platforms": []}, []])
def test_report_of_an_older_version_is_rebuilt_when_read(client: Client, diagnosis: Diagnosis, stored: Any) -> None:
    new = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    Diagnosis.objects.filter(pk=diagnosis.pk).update(report=stored)
    Answer.objects.update(others=None, domains=None)
    invalidate_tags(f"diagnosis:{diagnosis.pk}")
    old = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert old["version"] == REPORT_VERSION
    assert old == new


def test_admin_lists_corrections(client_of_staff: Client, staff: AbstractUser) -> None:
    staff.is_superuser = True
    staff.save()
    assert client_of_staff.get(reverse("admin:diagnosis_correction_changelist")).status_code == 200


def _add_competitor(client: Client, diagnosis: Diagnosis, name: str) -> Any:
    body = json.dumps({"name": name})
    return client.post(f"/api/diagnoses/{diagnosis.pk}/competitors", body, content_type="application/json")


def _rates(client: Client, diagnosis: Diagnosis) -> dict[str, float]:
    brands = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["brands"]
    return {brand["name"]: brand["figures"]["mention_rate"] for brand in brands}


def test_competitor_is_added_with_its_mentions_and_removed(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    diagnosis = run_and_end(
        make_diagnosis(owner, [platform], questions=["甲？", "乙？"]),
        make_valid_result("小米手机好。"),
        make_valid_result(),
    )
    others = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()["others"]
    assert [brand["name"] for brand in others] == ["小米"]
    added = _add_competitor(client, diagnosis, "小米").json()
    assert added == {"name": "小米", "aliases": [], "sites": [], "is_own": False, "is_added": True}
    assert _rates(client, diagnosis) == {"山岚": 0.5, "小米": 0.5}
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert (report["others"], len(report["lost"])) == ([], 1)
    assert client.delete(f"/api/diagnoses/{diagnosis.pk}/competitors/小米").status_code == 204
    assert _rates(client, diagnosis) == {"山岚": 0.5}


def test_limits_of_adding_and_removing_competitors(
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


@pytest.fixture
def large(owner: AbstractUser, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Diagnosis:
    """Two answers, which count as too many to be recalculated at once."""
    monkeypatch.setattr(recalculation, "MAX_INLINE_ANSWERS", 1)
    order = make_diagnosis(owner, [platform], brand="苹果", questions=["甲？", "乙？"])
    return run_and_end(order, *map(make_valid_result, TEXTS))


def _is_pending(client: Client, diagnosis: Diagnosis) -> bool:
    return bool(client.get(f"/api/diagnoses/{diagnosis.pk}").json()["report_pending"])


def _list_jobs(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    # Of an owner one after another, so that they do not occupy all workers.
    jobs = ProcrastinateJob.objects.filter(lock=f"recalculation:{diagnosis.owner_id}", status="todo")
    jobs = jobs.filter(args__diagnosis_id=str(diagnosis.pk)).order_by("pk")
    return [job.args for job in jobs]


def _run_job(args: dict[str, Any]) -> None:
    async_to_sync(recalculate_job.func)(**args)


def test_long_answers_are_recalculated_by_a_job(
    client: Client, diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    characters = sum(map(len, TEXTS))
    monkeypatch.setattr(recalculation, "MAX_INLINE_CHARACTERS", characters)
    _post(client, diagnosis, kind="alias", brand="苹果", alias="PINGGUO")
    assert (_is_pending(client, diagnosis), _list_jobs(diagnosis)) == (False, [])
    monkeypatch.setattr(recalculation, "MAX_INLINE_CHARACTERS", characters - 1)
    _post(client, diagnosis, kind="alias", brand="苹果", alias="Apple")
    assert (_is_pending(client, diagnosis), len(_list_jobs(diagnosis))) == (True, 1)


def test_many_answers_are_recalculated_by_a_job(client: Client, large: Diagnosis) -> None:
    assert _figures(client, large) == (1, 1)
    assert _post(client, large, kind="confirm", **_get_span(_answers(client, large)[0])).status_code == 200
    assert _answers(client, large)[0]["mentions"][0]["state"] == "confirmed"  # at once
    assert (_is_pending(client, large), _figures(client, large)) == (True, (1, 1))
    _post(client, large, kind="alias", brand="苹果", alias="PINGGUO")
    confirm_job, alias_job = _list_jobs(large)
    _run_job(confirm_job)
    assert (_is_pending(client, large), _figures(client, large)) == (True, (2, 0))
    assert [len(answer["mentions"]) for answer in _answers(client, large)] == [1, 1]
    _run_job(alias_job)
    assert (_is_pending(client, large), _figures(client, large)) == (False, (2, 0))
    assert [len(answer["mentions"]) for answer in _answers(client, large)] == [1, 2]
    assert _answers(client, large)[0]["mentions"][0]["state"] == "confirmed"
    _run_job(confirm_job)  # again, later: changes nothing
    assert (_is_pending(client, large), _figures(client, large)) == (False, (2, 0))


def test_lost_recalculation_is_enqueued_again(client: Client, large: Diagnosis) -> None:
    _post(client, large, kind="alias", brand="苹果", alias="PINGGUO")
    assert recalculation.requeue_recalculations() == 0
    ProcrastinateJob.objects.all().delete()
    assert recalculation.requeue_recalculations() == 1
    _run_job(_list_jobs(large)[0])
    assert not _is_pending(client, large)
    assert [len(answer["mentions"]) for answer in _answers(client, large)] == [1, 2]


def test_correction_analyses_only_the_answers_it_concerns(
    client: Client, diagnosis: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[str] = []

    def spy(answers: Any, brands: Any) -> Any:
        analysed.extend(answer.text for answer in answers)
        return reanalyse_answers(answers, brands)

    monkeypatch.setattr(recalculation, "reanalyse_answers", spy)
    correction = _post(client, diagnosis, kind="confirm", **_get_span(_answers(client, diagnosis)[0])).json()
    assert analysed == TEXTS[:1]
    client.delete(f"/api/diagnoses/{diagnosis.pk}/corrections/{correction['id']}")
    _post(client, diagnosis, kind="alias", brand="苹果", alias="Ping guo")
    assert analysed == [TEXTS[0], TEXTS[0], TEXTS[1]]
