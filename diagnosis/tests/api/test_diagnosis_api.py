"""One diagnosis over HTTP: its state, answers, report and cancellation."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.api.diagnoses import ANSWERS_PER_PAGE
from diagnosis.choices import DiagnosisStatus, FailureReason
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.orders import services
from diagnosis.orders.retries import create_retry
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.schemas import ReportOut
from diagnosis.reports.service import REPORT_VERSION
from diagnosis.running import state_machine
from progress.models import Event
from testing.data.diagnoses import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
)


def path(diagnosis: Diagnosis, rest: str = "") -> str:
    return f"/api/diagnoses/{diagnosis.pk}{rest}"


def test_detail_lists_brands_questions_and_platforms(client: Client, owner: AbstractUser, platform: Platform) -> None:
    first = make_platform("first", position=0)
    diagnosis = make_diagnosis(
        owner,
        [platform, first],
        questions=["甲？", "乙？"],
        aliases=["SL"],
        competitors=[RequestedBrand("木石坊", ["MSF"])],
    )
    body = client.get(path(diagnosis)).json()
    assert (body["id"], body["status"], body["planned"]) == (str(diagnosis.pk), "queued", 4)
    assert body["brands"] == [
        {"name": "山岚", "aliases": ["SL"], "sites": [], "is_own": True, "is_added": False},
        {"name": "木石坊", "aliases": ["MSF"], "sites": [], "is_own": False, "is_added": False},
    ]
    assert [question["text"] for question in body["questions"]] == ["甲？", "乙？"]
    assert [row["id"] for row in body["platforms"]] == ["first", "fake"]
    assert body["platforms"][0] == {
        "id": "first",
        "name": "平台 first",
        "model": "first",
        "filing_number": "",
        "demo": False,
        "obstacle": "",
        "paused_until": None,
    }


def test_percentage_follows_the_stages(client: Client, owner: AbstractUser, platform: Platform) -> None:
    def get_stage() -> tuple[str, int]:
        body = client.get(path(diagnosis)).json()
        return body["stage"], body["percent"]

    diagnosis = make_diagnosis(owner, [platform], questions=["甲？", "乙？"])
    assert get_stage() == ("queued", 0)
    begin_and_record(diagnosis)
    assert get_stage() == ("asking", 0)
    begin_and_record(diagnosis, make_valid_result())
    assert get_stage() == ("asking", 47)
    run_and_end(diagnosis, make_valid_result())
    assert get_stage() == ("completed", 100)


class TestAnswers:
    def test_are_ordered_by_question_platform_and_repeat(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        first = make_platform("first", position=0)
        diagnosis = make_diagnosis(owner, [platform, first], questions=["甲？", "乙？"], repeats=2)
        body = client.get(path(diagnosis, "/answers")).json()
        texts = {str(question.pk): question.text for question in diagnosis.questions.all()}
        assert [(texts[item["question"]], item["platform"], item["repeat"]) for item in body["items"]] == [
            (question, platform_id, repeat)
            for question in ("甲？", "乙？")
            for platform_id in ("first", "fake")
            for repeat in (1, 2)
        ]
        assert body["next"] is None

    def test_have_text_and_mentions_or_a_problem(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = make_diagnosis(owner, [platform], questions=["甲？", "乙？", "丙？"])
        begin_and_record(
            diagnosis,
            make_valid_result("🍵 山岚，还是山岚。"),
            make_failed_result(FailureReason.QUOTA, "account no-4711"),
        )
        good, bad, pending = client.get(path(diagnosis, "/answers")).json()["items"]
        assert (good["state"], good["text"], good["model"], good["ms"]) == (
            "valid",
            "🍵 山岚，还是山岚。",
            "model-1",
            5,
        )
        assert good["mentions"] == [
            {"brand": "山岚", "start": 2, "end": 4, "state": "certain"},
            {"brand": "山岚", "start": 7, "end": 9, "state": "certain"},
        ]
        assert (good["code"], good["error"], good["carried_over"]) == ("", None, False)
        assert (bad["state"], bad["text"], bad["code"], bad["ms"]) == ("failed", "", "AI_QUOTA_EXHAUSTED", 7)
        assert bad["error"]["title"] == "AI 配额已用尽"
        assert "no-4711" not in str(bad)
        assert (pending["state"], pending["ms"], pending["answered_at"]) == ("pending", None, None)

    def test_pages_join_without_gaps_or_duplicates(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        questions = [f"问题 {number}" for number in range(45)]
        diagnosis = make_diagnosis(owner, [platform], questions=questions, repeats=5)
        pages = [client.get(path(diagnosis, "/answers")).json()]
        while pages[-1]["next"]:
            pages.append(client.get(path(diagnosis, "/answers"), {"cursor": pages[-1]["next"]}).json())
        assert [len(page["items"]) for page in pages] == [ANSWERS_PER_PAGE, ANSWERS_PER_PAGE, 25]
        assert len({item["id"] for page in pages for item in page["items"]}) == 225

    def test_storing_answers_does_not_shift_pages(self, client: Client, owner: AbstractUser) -> None:
        """Platforms may have equal positions, and an UPDATE moves a row."""
        platforms = [make_platform(f"p{number}", position=7) for number in range(9)]
        diagnosis = make_diagnosis(owner, platforms, questions=["甲？"], repeats=12)
        first = client.get(path(diagnosis, "/answers")).json()
        seen = [item["id"] for item in first["items"]]
        begin_and_record(diagnosis, *[make_valid_result()] * 60)
        second = client.get(path(diagnosis, "/answers"), {"cursor": first["next"]}).json()
        seen += [item["id"] for item in second["items"]]
        assert len(set(seen)) == len(seen) == 108

    @pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "100001", "9" * 30, "\x00"])
    def test_invalid_cursor_is_rejected(
        self, client: Client, owner: AbstractUser, platform: Platform, cursor: str
    ) -> None:
        diagnosis = make_diagnosis(owner, [platform])
        response = client.get(path(diagnosis, "/answers"), {"cursor": cursor})
        assert (response.status_code, list(response.json()["fields"])) == (422, ["cursor"])

    def test_cursor_beyond_the_end_is_an_empty_page(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        diagnosis = make_diagnosis(owner, [platform])
        assert client.get(path(diagnosis, "/answers"), {"cursor": "900"}).json() == {"items": [], "next": None}


class TestReport:
    def test_returns_409_until_the_diagnosis_has_ended(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        diagnosis = make_diagnosis(owner, [platform], questions=["甲？", "乙？"])
        for step in (lambda: None, lambda: begin_and_record(diagnosis, make_valid_result())):
            step()
            response = client.get(path(diagnosis, "/report"))
            assert (response.status_code, response.json()["code"]) == (409, "DIAGNOSIS_RUNNING")
            assert response.json()["retryable"] is True
            assert int(response["Retry-After"]) > 0
        run_and_end(diagnosis, make_valid_result())
        assert client.get(path(diagnosis, "/report")).status_code == 200

    def test_has_figures_names_and_method(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = make_diagnosis(
            owner, [platform], questions=["甲？", "乙？", "丙？"], competitors=[RequestedBrand("木石坊")]
        )
        run_and_end(
            diagnosis,
            make_valid_result("山岚，木石坊"),
            make_valid_result("木石坊"),
            make_failed_result(FailureReason.TIMEOUT),
        )
        body = client.get(path(diagnosis, "/report")).json()
        assert (body["planned"], body["valid"], body["failed"], body["filtered"]) == (3, 2, 1, 0)
        assert body["diagnosis"]["status"] == "partial"
        own, competitor = body["brands"]
        assert (own["name"], own["is_own"], own["figures"]["mention_rate"]) == ("山岚", True, 0.5)
        assert (own["figures"]["mention_rate_low"], own["figures"]["mention_rate_high"]) == pytest.approx(
            (0.0945, 0.9055), abs=0.0001
        )
        assert (competitor["figures"]["mentions"], competitor["figures"]["share_of_voice"]) == (2, pytest.approx(2 / 3))
        assert own["by_platform"]["fake"] == own["figures"]
        assert body["platforms"] == [
            {"id": "fake", "name": "平台 fake", "model": "fake", "demo": False}
            | {
                "planned": 3,
                "valid": 2,
                "failed": 1,
                "filtered": 0,
                "truncated": 0,
                "repeated": 0,
                "without_search": 0,
            }
        ]
        (failure,) = body["failures"]
        assert (failure["platform"], failure["code"], failure["count"]) == ("fake", "NETWORK_TIMEOUT", 1)
        assert failure["title"]
        assert failure["suggestion"]
        written = ReportOut.model_validate(body).model_dump(mode="json", exclude_unset=True)
        assert set(written) == set(body)  # what is sent is what the schema says
        assert set(written["brands"][0]["figures"]) == set(own["figures"])
        method = body["method"]
        assert (method["source"], method["interval"], method["repeats"]) == ("api", "Wilson 95 %", 1)
        assert (method["models"], list(method["models_by_platform"].values())) == (["model-1"], [["model-1"]])
        assert method["first_answer_at"] <= method["last_answer_at"]
        assert method["scope"][own["figures"]["scope"]] == "针对本问题集"
        assert [(row["valid"], row["text"]) for row in body["questions"]] == [(1, "甲？"), (1, "乙？"), (0, "丙？")]
        assert [(row["question"], row["winners"]) for row in body["lost"]] == [(body["questions"][1]["id"], ["木石坊"])]
        assert (body["version"], body["domains"], body["others"], body["judged"]) == (REPORT_VERSION, None, [], None)
        assert body["demo"] is False
        assert body["ai_label"] == "以下回答由 AI 生成，仅供参考"

    @pytest.mark.parametrize("status", [DiagnosisStatus.CANCELLED, DiagnosisStatus.TIMED_OUT, None])
    def test_exists_for_every_final_status(
        self, client: Client, owner: AbstractUser, platform: Platform, status: DiagnosisStatus | None
    ) -> None:
        diagnosis = run_and_end(
            make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result(), status=status
        )
        body = client.get(path(diagnosis, "/report")).json()
        assert (body["valid"], body["failed"], body["planned"]) == (1, 1, 2)
        assert body["diagnosis"]["status"] == (status or DiagnosisStatus.PARTIAL).value

    def test_returns_304_for_a_known_etag(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
        first = client.get(path(diagnosis, "/report"))
        etag = first["ETag"]
        for match in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = client.get(path(diagnosis, "/report"), headers={"If-None-Match": match})
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag), match
            assert again["Cache-Control"] == first["Cache-Control"] == "private, no-cache"
        for match in ('"other"', etag.strip('"'), ""):
            assert client.get(path(diagnosis, "/report"), headers={"If-None-Match": match}).status_code == 200, match

    def test_etag_depends_on_the_language(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
        chinese = client.get(path(diagnosis, "/report"))
        english = client.get(
            path(diagnosis, "/report"), headers={"Accept-Language": "en", "If-None-Match": chinese["ETag"]}
        )
        assert (english.status_code, english.json()["ai_label"][:3]) == (200, "AI生")
        assert english["ETag"] != chinese["ETag"]
        assert "Accept-Language" in chinese["Vary"]

    @pytest.mark.django_db(transaction=True)
    def test_changes_with_the_name_of_a_platform(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
        etag = client.get(path(diagnosis, "/report"))["ETag"]
        Platform.objects.update(name="新名字")
        changed = client.get(path(diagnosis, "/report"), headers={"If-None-Match": etag})
        assert (changed.status_code, changed.json()["platforms"][0]["name"]) == (200, "新名字")

    def test_of_another_user_is_not_served_from_the_cache(
        self, client: Client, client_of_stranger: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        diagnosis = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
        assert client.get(path(diagnosis, "/report")).status_code == 200
        assert client_of_stranger.get(path(diagnosis, "/report")).status_code == 404


class TestCancel:
    def test_ends_the_diagnosis_and_keeps_stored_answers(
        self, client: Client, owner: AbstractUser, platform: Platform
    ) -> None:
        diagnosis = make_diagnosis(owner, [platform], questions=["甲？", "乙？"])
        begin_and_record(diagnosis, make_valid_result())
        body = client.post(path(diagnosis, "/cancel")).json()
        assert (body["status"], body["valid"], body["failed"], body["percent"]) == ("cancelled", 1, 1, 100)
        assert body["error"]["code"] == "DIAGNOSIS_CANCELLED"
        last = Event.objects.filter(stream_id=diagnosis.stream_id).latest("seq")
        assert (last.kind, last.data["status"]) == ("complete", "cancelled")
        states = Answer.objects.order_by("question__position").values_list("state", "reason")
        assert list(states) == [("valid", ""), ("failed", "cancelled")]

    def test_works_before_the_run_has_begun(self, client: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = make_diagnosis(owner, [platform])
        assert client.post(path(diagnosis, "/cancel")).json()["status"] == "cancelled"

    @pytest.mark.parametrize(
        "status", [DiagnosisStatus.CANCELLED, DiagnosisStatus.TIMED_OUT, DiagnosisStatus.COMPLETED]
    )
    def test_of_an_ended_diagnosis_changes_nothing(
        self, client: Client, owner: AbstractUser, platform: Platform, status: DiagnosisStatus
    ) -> None:
        questions = ["甲？", "乙？"]
        diagnosis = run_and_end(
            make_diagnosis(owner, [platform], questions=questions), make_valid_result(), status=status
        )
        events = Event.objects.count()
        response = client.post(path(diagnosis, "/cancel"))
        assert (response.status_code, response.json()["status"]) == (200, status.value)
        assert Event.objects.count() == events
        assert Diagnosis.objects.get().finished_at == diagnosis.finished_at

    def test_is_allowed_for_staff(self, client_of_staff: Client, owner: AbstractUser, platform: Platform) -> None:
        diagnosis = make_diagnosis(owner, [platform])
        assert client_of_staff.post(path(diagnosis, "/cancel")).json()["status"] == "cancelled"


@pytest.mark.parametrize("rest", ["", "/report", "/answers"])
def test_queries_for_reading_do_not_grow_with_answers(
    client: Client, owner: AbstractUser, rest: str, django_assert_max_num_queries: Any
) -> None:
    platforms = [make_platform(f"p{number}") for number in range(5)]
    questions = [f"问题 {number}" for number in range(10)]
    rivals = [RequestedBrand(f"竞品 {number}") for number in range(5)]
    diagnosis = make_diagnosis(owner, platforms, questions=questions, competitors=rivals)
    run_and_end(diagnosis, *[make_valid_result(), make_failed_result()] * 25)
    # Session, user, workspaces and diagnosis, then brands, questions, platforms, cost and failed platforms, or the
    # answers.
    with django_assert_max_num_queries(9):
        assert client.get(path(diagnosis, rest)).status_code == 200


def test_queries_for_storing_and_ending_do_not_grow_with_answers(
    owner: AbstractUser, django_assert_max_num_queries: Any
) -> None:
    platforms = [make_platform(f"p{number}") for number in range(10)]
    questions = [f"问题 {number}" for number in range(20)]
    diagnosis = make_diagnosis(owner, platforms, questions=questions)
    with django_assert_max_num_queries(22):
        begin_and_record(diagnosis, *[make_valid_result(), make_failed_result()] * 100)
    with django_assert_max_num_queries(40):  # with figures, found names and actions of the workspace
        ended = state_machine.end_diagnosis(diagnosis.pk)
    assert ended
    assert (ended.valid, ended.failed) == (100, 100)


def test_queries_for_creating_do_not_grow_with_the_size(
    owner: AbstractUser, django_assert_max_num_queries: Any
) -> None:
    platforms = [make_platform(f"p{number}") for number in range(10)]
    questions = [f"问题 {number}" for number in range(20)]
    with django_assert_max_num_queries(30):  # with the workspace and its names
        make_diagnosis(owner, platforms, questions=questions)
    with django_assert_max_num_queries(21):
        diagnosis = make_diagnosis(owner, platforms, questions=questions, repeats=5)
    ended = run_and_end(diagnosis, *[make_valid_result()] * 10)
    with django_assert_max_num_queries(26):
        create_retry(ended, services.RequestContext(owner))


def test_id_is_accepted_in_any_uuid_notation(client: Client, owner: AbstractUser, platform: Platform) -> None:
    diagnosis = make_diagnosis(owner, [platform])
    for spelling in (str(diagnosis.pk).upper(), diagnosis.pk.hex):
        assert client.get(f"/api/diagnoses/{spelling}").status_code == 200
    assert client.get(f"/api/diagnoses/{uuid.uuid4()}").status_code == 404
