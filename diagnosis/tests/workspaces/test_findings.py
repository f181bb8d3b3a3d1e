"""Sources of a workspace, and actions: their answers, read again, give their counts."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.analysis.columns import get_mentioned_brands
from diagnosis.choices import PlatformSurface, SiteKind, SourceOrigin, Ternary
from diagnosis.models import Action, Answer, Diagnosis, Member, Platform, SiteClass, Source
from diagnosis.orders.services import RequestedBrand
from diagnosis.replies import PlatformReply, ReplySource, SearchRecord
from diagnosis.running.results import CallResult
from diagnosis.workspaces.actions import record_actions, record_skipped_run
from diagnosis.workspaces.candidates import record_candidates
from testing.data.diagnoses import make_diagnosis, make_platform, make_schedule, make_valid_result, run_and_end

QUESTIONS = [f"问题 {number}？" for number in range(4)]


def _result(text: str, *urls: str) -> CallResult:
    sources = tuple(ReplySource(position, url, SourceOrigin.CITATION, Ternary.YES) for position, url in enumerate(urls))
    search = SearchRecord(requested=True, happened=Ternary.YES)
    reply = PlatformReply(text, "model-1", search=search, sources=sources, surface=PlatformSurface.SEARCH)
    return CallResult(reply, None, 1, 5)


@pytest.fixture
def searching(db: None) -> list[Platform]:
    """Two platforms with a search, of which the second tells no sources."""
    return [make_platform("telling", surface="search"), make_platform("silent", surface="search")]


def _run(owner: AbstractUser, platforms: list[Platform], texts: dict[str, tuple[str, ...]]) -> Diagnosis:
    """Every question to every platform; the first platform answers with the texts and their sources in order."""
    competitors = [RequestedBrand("木石坊", sites=("mushi.example",))]
    diagnosis = make_diagnosis(owner, platforms, questions=QUESTIONS, competitors=competitors)
    results = []
    for text, urls in texts.items():
        results += [_result(text, *urls), _result("没有品牌。")]
    return run_and_end(diagnosis, *results)


TEXTS = {
    "木石坊好。": ("https://news.example/a", "https://news.example/a?utm_source=x", "https://mushi.example/"),
    "还是木石坊好。": ("https://news.example/b",),
    "木石坊。": ("https://www.news.example/a",),
    "山岚和木石坊。": ("https://forum.example/1",),
}


def _get(client: Client, workspace: Any, path: str, **query: Any) -> Any:
    response = client.get(f"/api/workspaces/{workspace}/{path}", query)
    assert response.status_code == 200, response.content
    return response.json()


def test_hosts_count_once_per_answer_and_name_the_gap(
    client: Client, owner: AbstractUser, searching: list[Platform]
) -> None:
    SiteClass.objects.update_or_create(host="forum.example", defaults={"kind": SiteKind.COMMUNITY})
    workspace = _run(owner, searching, TEXTS).workspace_id
    body = _get(client, workspace, "sources")
    assert (body["answers"], body["untold"], body["gap_answers"]) == (4, {"silent": 4}, 3)
    hosts = {row["host"]: row for row in body["hosts"]}
    news = hosts["news.example"]
    assert (news["cited"], news["rate"], news["pages"], news["gap"], news["is_gap"]) == (3, 0.75, 2, 3, True)
    assert [(host, row["kind"], row["is_gap"]) for host, row in hosts.items()] == [
        ("news.example", None, True),
        ("forum.example", "community", False),
        ("mushi.example", "competitor", False),
    ]
    put = client.put(f"/api/workspaces/{workspace}/sources/news.example", {"kind": "media"}, "application/json")
    assert put.status_code == 200
    assert _get(client, workspace, "sources")["hosts"][0]["kind"] == "media"
    pages = _get(client, workspace, "sources/news.example")["pages"]
    assert [(page["answers"], len(page["uses"])) for page in pages] == [(2, 3), (1, 1)]
    assert {use["question"] for use in pages[0]["uses"]} == {QUESTIONS[0], QUESTIONS[2]}
    Source.objects.filter(answer=pages[1]["uses"][0]["answer"]).update(spans=[[2, 5], [0, 99]])
    (use,) = _get(client, workspace, "sources/news.example")["pages"][1]["uses"]
    assert use["places"] == [{"before": "还是", "text": "木石坊", "after": "好。"}]


def test_workspace_without_sources_has_no_rate(client: Client, owner: AbstractUser, platform: Platform) -> None:
    run = run_and_end(make_diagnosis(owner, [platform]), make_valid_result())
    body = _get(client, run.workspace_id, "sources")
    assert (body["answers"], body["hosts"]) == (0, [])


def _answers(action: dict[str, Any]) -> list[Answer]:
    return list(Answer.objects.filter(pk__in=action["answers"]))


def test_actions_tell_counts_that_their_answers_give(
    client: Client, owner: AbstractUser, searching: list[Platform]
) -> None:
    runs = [_run(owner, searching, TEXTS) for _ in range(2)]
    actions = {row["kind"]: row for row in _get(client, runs[0].workspace_id, "actions")}
    gap = actions["source_gap"]
    assert (gap["subject"], gap["count"], gap["details"]["questions"]) == ("news.example", 3, 3)
    assert gap["diagnosis"] == str(runs[1].pk)
    assert len(_answers(gap)) == 3
    for answer in _answers(gap):
        assert get_mentioned_brands(answer.mentions) == ["木石坊"]
        assert Source.objects.filter(answer=answer, host="news.example", cited=Ternary.YES).exists()
    assert _get(client, runs[0].workspace_id, "overview")["actions"][0]["seen_in_last_run"] is True
    listed = _get(client, runs[0].workspace_id, f"actions/{gap['id']}/answers")
    assert [(row["answer"], row["diagnosis"]) for row in listed] == [
        (answer, str(runs[1].pk)) for answer in gap["answers"]
    ]
    assert {row["excerpt"] for row in listed} == {"木石坊好。", "还是木石坊好。", "木石坊。"}


def test_lost_question_drop_and_weak_platform_are_found(client: Client, owner: AbstractUser) -> None:
    platforms = [make_platform(name) for name in ("one", "two")]
    order: dict[str, Any] = {"questions": ["甲？", "乙？"], "repeats": 5, "competitors": [RequestedBrand("木石坊")]}

    def run(by_platform: dict[str, str]) -> Diagnosis:
        diagnosis = make_diagnosis(owner, platforms, **order)
        planned = diagnosis.answers.order_by("repeat", "question__position", "platform__position")
        return run_and_end(diagnosis, *(make_valid_result(by_platform[answer.platform_id]) for answer in planned))

    run({"one": "山岚好。", "two": "木石坊好。"})
    first = _get(client, run({"one": "山岚好。", "two": "木石坊好。"}).workspace_id, "actions")
    (weak,) = [row for row in first if row["kind"] == "weak_platform"]
    assert (weak["subject"], weak["details"]["k"], weak["details"]["n"], weak["count"]) == ("two", 0, 10, 10)
    lost = [run({"one": "木石坊好。", "two": "木石坊好。"}) for _ in range(2)][1]
    actions = _get(client, lost.workspace_id, "actions")
    questions = [row for row in actions if row["kind"] == "lost_question"]
    assert {row["details"]["text"] for row in questions} == {"甲？", "乙？"}
    for row in questions:
        assert row["count"] == 10 == len(_answers(row))
        assert all(get_mentioned_brands(answer.mentions) == ["木石坊"] for answer in _answers(row))
    (drop,) = [row for row in actions if row["kind"] == "drop"]
    assert (drop["details"]["before"], drop["details"]["after"], drop["count"]) == (0.5, 0.0, 20)
    assert drop["seen_in_last_run"] is False  # the drop was a run ago
    assert weak["id"] in {row["id"] for row in actions}


def test_done_action_reopens_when_it_is_seen_again_and_a_dismissed_one_does_not(
    client: Client, owner: AbstractUser, searching: list[Platform]
) -> None:
    run = _run(owner, searching, TEXTS)
    action, member = Action.objects.get(kind="source_gap"), Member.objects.get()
    url = f"/api/workspaces/{run.workspace_id}/actions/{action.pk}"

    def patch(**body: Any) -> Any:
        return client.patch(url, body, content_type="application/json")

    changed = patch(state="done", assignee=str(member.pk), note="写一篇").json()
    assert (changed["state"], changed["assignee"], changed["note"]) == ("done", "owner", "写一篇")
    assert changed["assignee_member"] == str(member.pk)
    assert patch(assignee=str(uuid.uuid4())).status_code == 422
    assert patch(unassign=True).json()["assignee"] is None
    assert _get(client, run.workspace_id, "actions") == []
    _run(owner, searching, TEXTS)
    (reopened,) = _get(client, run.workspace_id, "actions")
    assert (reopened["state"], reopened["reopened_at"] is None) == ("open", False)
    assert client.post(url, {"state": "dismissed"}, content_type="application/json").status_code == 200
    _run(owner, searching, TEXTS)
    assert _get(client, run.workspace_id, "actions") == []
    assert len(_get(client, run.workspace_id, "actions", state="dismissed")) == 1


def test_skipped_run_is_an_action(client: Client, owner: AbstractUser, platform: Platform) -> None:
    run = make_diagnosis(owner, [platform])
    schedule = make_schedule(owner, [platform], workspace=run.workspace, skip_reason="budget_money")
    record_skipped_run(schedule)
    record_skipped_run(schedule)
    (action,) = _get(client, run.workspace_id, "actions")
    assert (action["kind"], action["details"]["reason"], action["seen_in_last_run"]) == (
        "skipped_run",
        "budget_money",
        None,
    )


def test_untracked_name_of_two_runs_is_a_new_rival(client: Client, owner: AbstractUser, platform: Platform) -> None:
    order: dict[str, Any] = {"questions": QUESTIONS[:3]}
    for _ in range(2):
        run = run_and_end(make_diagnosis(owner, [platform], **order), *[make_valid_result()] * 3)
        Answer.objects.filter(diagnosis=run).update(others=["Hario"])
        record_candidates(run)
        record_actions(run, run.summary)
    (action,) = _get(client, run.workspace_id, "actions")
    assert (action["kind"], action["details"]["name"], action["count"]) == ("new_rival", "Hario", 6)
    assert all(answer.others == ["Hario"] for answer in _answers(action))
