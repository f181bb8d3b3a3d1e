"""Digests: one a window, equal to the overview, sent at most once, and ended by one click."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from diagnosis.models import Diagnosis, Digest, DigestIssue, Member, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.workspaces.digests import create_due_issues, get_last_window
from diagsite.models import User
from diagsite.notifications import digest_mail
from diagsite.notifications.digest_mail import build_off_token, send_due_digests
from testing.data.diagnoses import make_diagnosis, make_platform, make_schedule, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db

QUESTIONS = [f"问题 {number}？" for number in range(10)]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Platform:
    """A platform, and a mail server."""
    settings.EMAIL_HOST = "mail.example"
    settings.SITE_URL = "https://site.example"
    return make_platform()


@pytest.fixture
def user() -> User:
    """A user with an address."""
    return User.objects.create(username="ann", email="ann@example.com")


@pytest.fixture
def client(user: User) -> Client:
    """The client of the user."""
    client = Client(headers={"Accept-Language": "zh-CN"})
    client.force_login(user)
    return client


def _run(user: User, platform: Platform, named: int, started_at: datetime) -> Diagnosis:
    diagnosis = make_diagnosis(user, [platform], questions=QUESTIONS, repeats=3, competitors=[RequestedBrand("木石坊")])
    Diagnosis.objects.filter(pk=diagnosis.pk).update(created_at=started_at)
    texts = ["山岚和木石坊都好。"] * named + ["木石坊好。"] * (diagnosis.planned - named)
    return run_and_end(diagnosis, *map(make_valid_result, texts))


def _subscribe(client: Client, run: Diagnosis, created_at: datetime, **body: str) -> Digest:
    url = f"/api/workspaces/{run.workspace_id}/digest"
    response = client.put(url, {"every": "weekly", **body}, content_type="application/json")
    assert response.status_code == 200, response.content
    Digest.objects.update(created_at=created_at)
    return Digest.objects.get()


def test_windows_end_on_monday_and_on_the_first_at_eight(settings: Any) -> None:
    monday = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)  # eight in Shanghai
    assert get_last_window("weekly", monday) == (monday - timedelta(days=7), monday)
    assert get_last_window("weekly", monday - timedelta(seconds=1))[1] == monday - timedelta(days=7)
    assert get_last_window("monthly", monday) == (
        datetime(2026, 10, 1, 0, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 0, 0, tzinfo=UTC),
    )


def test_digest_says_what_the_overview_says_once_a_window(client: Client, user: User, platform: Platform) -> None:
    start, end = get_last_window("weekly", timezone.now())
    run = _run(user, platform, 3, start - timedelta(days=1))
    _run(user, platform, 28, start + timedelta(days=1))
    _subscribe(client, run, start)
    assert [create_due_issues(), create_due_issues()] == [1, 0]
    body = client.get(f"/api/workspaces/{run.workspace_id}/digest").json()
    (issue,) = body["issues"]
    assert (issue["state"], body["email"]) == ("on_page", "ann@example.com")
    overview = client.get(f"/api/workspaces/{run.workspace_id}/overview").json()
    digest = issue["content"]["overview"]
    assert {name: overview[name] for name in digest} == digest
    assert [change["changed"] for change in digest["headline"]["changes"]] == ["up"]
    assert datetime.fromisoformat(issue["window_end"]) == end


def test_several_runs_of_a_window_are_one_comparison_with_the_run_before_it(
    client: Client, user: User, platform: Platform
) -> None:
    start, _end = get_last_window("weekly", timezone.now())
    run = _run(user, platform, 3, start - timedelta(days=1))
    for day, named in ((1, 27), (2, 28)):
        _run(user, platform, named, start + timedelta(days=day))
    _subscribe(client, run, start)
    create_due_issues()
    headline = DigestIssue.objects.get().content["overview"]["headline"]  # type: ignore[index]
    overview = client.get(f"/api/workspaces/{run.workspace_id}/overview").json()
    assert (headline["kind"], overview["headline"]["kind"]) == ("changed", "unchanged")
    assert datetime.fromisoformat(headline["since"]) == start - timedelta(days=1)


def test_window_without_run_is_silent_unless_one_was_skipped(client: Client, user: User, platform: Platform) -> None:
    start, _end = get_last_window("weekly", timezone.now())
    run = _run(user, platform, 3, start - timedelta(days=1))
    digest = _subscribe(client, run, start)
    assert create_due_issues() == 0
    assert client.get(f"/api/workspaces/{run.workspace_id}/digest").json()["issues"] == []
    DigestIssue.objects.all().delete()
    make_schedule(
        user, [platform], workspace=run.workspace, skipped_at=start + timedelta(days=1), skip_reason="budget_calls"
    )
    assert create_due_issues() == 1
    assert DigestIssue.objects.get(digest=digest).content == {
        "overview": None,
        "skipped": [{"schedule": str(run.workspace.schedules.get().pk), "reason": "budget_calls"}],  # type: ignore[union-attr]
    }


def test_mail_is_sent_once_and_not_again_after_the_sender_died(
    client: Client, user: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, _end = get_last_window("weekly", timezone.now())
    run = _run(user, platform, 3, start - timedelta(days=1))
    _run(user, platform, 28, start + timedelta(days=1))
    digest = _subscribe(client, run, start, channel="email")
    create_due_issues()

    def die(message: EmailMessage) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", die)
        with pytest.raises(KeyboardInterrupt):
            send_due_digests()
    assert send_due_digests() == 0
    monkeypatch.setattr(digest_mail, "SENDING_TIMEOUT", timedelta(0))
    assert (send_due_digests(), DigestIssue.objects.get().state, mail.outbox) == (0, "given_up", [])
    DigestIssue.objects.all().delete()
    create_due_issues()
    assert [send_due_digests(), send_due_digests()] == [1, 0]
    (sent,) = mail.outbox
    assert sent.to == ["ann@example.com"]
    assert sent.subject.startswith("山岚 · 山岚：10 % → 93 %")
    assert f"https://site.example/w/{run.workspace_id}/" in sent.body
    token = build_off_token(digest).partition(":")[0]  # without its time and signature
    assert f"/api/digests/{token}:" in sent.extra_headers["List-Unsubscribe"]


def test_mail_ends_by_one_click_without_sign_in(client: Client, user: User, platform: Platform) -> None:
    run = _run(user, platform, 3, timezone.now())
    digest = _subscribe(client, run, timezone.now())
    url = f"/api/digests/{build_off_token(digest)}/off"
    assert Client(enforce_csrf_checks=True).post(url, {"List-Unsubscribe": "One-Click"}).status_code == 204
    assert Client().post(url).status_code == 404
    assert not Digest.objects.exists()


def test_mail_needs_an_address_and_members_only_subscribe(client: Client, user: User, platform: Platform) -> None:
    run = _run(user, platform, 3, timezone.now())
    url = f"/api/workspaces/{run.workspace_id}/digest"
    User.objects.update(email="")
    response = client.put(url, {"every": "weekly", "channel": "email"}, content_type="application/json")
    assert (response.status_code, list(response.json()["fields"])) == (422, ["channel"])
    Member.objects.all().delete()
    assert client.get(url).status_code == 404
