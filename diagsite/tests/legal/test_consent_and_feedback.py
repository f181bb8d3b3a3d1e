"""The documents, the consent to them, and feedback with the operators' replies."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.models import Answer, Diagnosis
from diagsite.accounts.deletion import delete_user_data
from diagsite.accounts.tokens import issue_token
from diagsite.feedback.services import MAX_OPEN_PER_OWNER
from diagsite.legal.documents import DocumentName
from diagsite.models import Consent, Feedback
from testing.data.diagnoses import make_diagnosis, make_platform, make_user, make_valid_result, run_and_end

pytestmark = pytest.mark.django_db

BODY = {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["fake"]}


@pytest.fixture
def user() -> AbstractUser:
    return make_user("user-1")


@pytest.fixture
def client(user: AbstractUser) -> Client:
    return sign_in(user)


def sign_in(user: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {issue_token(user).token}", "Accept-Language": "zh-CN"})


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/{path}", body, content_type="application/json")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("name", list(DocumentName))
def test_documents_are_public_complete_and_name_the_operator(settings: Any, language: str, name: str) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_CONTACT, settings.OPERATOR_REPLY_DAYS = "示例科技", "help@site.example", 7
    headers = {"Accept-Language": language}
    document = Client().get(f"/api/legal/{name}", headers=headers).json()
    text = "".join(paragraph for section in document["sections"] for paragraph in section["paragraphs"])
    assert document["version"] == settings.TERMS_VERSION
    assert len(document["sections"]) == 7
    assert all(section["heading"] and section["paragraphs"] for section in document["sections"])
    assert all(part in text for part in ("示例科技", "help@site.example", "7"))
    assert "{" not in text
    page = Client().get(f"/legal/{name}/", headers=headers).content.decode()
    assert document["title"] in page
    assert all(section["heading"] in page for section in document["sections"])
    assert f"/legal/{name}/" in Client().get("/", headers=headers).content.decode()


def test_agreement_says_how_ai_content_is_made_and_labelled() -> None:
    text = str(Client().get("/api/legal/agreement").json())
    assert all(part in text for part in ("由您所选的 AI 平台生成", "AIGC", "GB 45438-2025"))


def test_operator_replaces_a_document(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "privacy.zh-hans.txt").write_text("# 自己的政策\n## 一\n由{operator}制定。\n")
    settings.LEGAL_TEXTS_DIR, settings.OPERATOR_NAME = str(tmp_path), "示例科技"
    document = Client().get("/api/legal/privacy").json()
    assert document["title"] == "自己的政策"
    assert document["sections"] == [{"heading": "一", "paragraphs": ["由示例科技制定。"]}]
    assert Client().get("/api/legal/agreement").json()["title"] == "用户服务协议"


def test_unknown_document_is_not_found() -> None:
    assert Client().get("/legal/nothing/").status_code == 404


def test_first_diagnosis_needs_the_consent_to_the_current_version(
    client: Client, user: AbstractUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_API_KEY", "sk-of-these-tests")
    make_platform()
    settings.CONSENT_REQUIRED, settings.TERMS_VERSION = True, "2"
    assert client.get("/api/consent").json() == {"version": "2", "is_required": True}
    refused = post(client, "diagnoses", BODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "CONSENT_REQUIRED")
    assert not Diagnosis.objects.exists()
    outdated = post(client, "consent", {"version": "1"})
    assert (outdated.status_code, list(outdated.json()["fields"])) == (409, ["version"])
    for _attempt in range(2):
        assert post(client, "consent", {"version": "2"}).json() == {"version": "2", "is_required": False}
    assert post(client, "diagnoses", BODY).status_code == 202
    consent = Consent.objects.get()
    assert (consent.owner_id, consent.version, consent.client) == (user.pk, "2", "web")
    settings.TERMS_VERSION = "3"
    assert post(client, "diagnoses", BODY).status_code == 403


def test_consent_is_not_asked_for_on_a_demo_site(client: Client, settings: Any) -> None:
    settings.CONSENT_REQUIRED = False
    assert client.get("/api/consent").json()["is_required"] is False


def test_report_of_an_answer_is_stored_and_its_reply_shown(client: Client, user: AbstractUser) -> None:
    ended = run_and_end(make_diagnosis(user, [make_platform()]), make_valid_result("山岚是假货。"))
    answer = Answer.objects.get(diagnosis=ended)
    body = {"kind": "answer", "reason": "false", "text": "不属实", "answer": str(answer.pk), "contact": "a@b.example"}
    sent = post(client, "feedback", body)
    assert sent.status_code == 201
    assert post(client, "feedback", body).json()["id"] == sent.json()["id"], "a repeated request stores nothing"
    foreign = post(sign_in(make_user("stranger")), "feedback", body)
    assert (foreign.status_code, list(foreign.json()["fields"])) == (422, ["answer"])
    root = make_user("root", is_staff=True, is_superuser=True)
    admin = Client()
    admin.force_login(root)  # type: ignore[arg-type]
    feedback = Feedback.objects.get()
    assert "待处理的反馈与投诉" in admin.get("/admin/").content.decode()
    address = f"/admin/diagsite/feedback/{feedback.pk}/change/"
    assert "山岚是假货。" in admin.get(address).content.decode()
    assert admin.post(address, {"reply": "已核实，已联系平台。"}).status_code == 302
    [entry] = client.get("/api/feedback").json()["items"]
    assert (entry["id"], entry["reply"]) == (sent.json()["id"], "已核实，已联系平台。")
    assert entry["handled_at"]


def test_text_without_content_is_refused_and_open_entries_are_bounded(client: Client, user: AbstractUser) -> None:
    empty = post(client, "feedback", {"kind": "feedback", "text": "  "})
    assert list(empty.json()["fields"]) == ["text"]
    missing = post(client, "feedback", {"kind": "answer", "text": "x"})
    assert list(missing.json()["fields"]) == ["answer"]
    Feedback.objects.bulk_create(
        Feedback(owner_id=user.pk, kind="feedback", text=f"很好。{number}") for number in range(MAX_OPEN_PER_OWNER)
    )
    full = post(client, "feedback", {"kind": "complaint", "text": "太慢"})
    assert (full.status_code, list(full.json()["fields"])) == (409, ["text"])


def test_deleted_account_leaves_no_consent_or_feedback(client: Client, user: Any, settings: Any) -> None:
    post(client, "consent", {"version": settings.TERMS_VERSION})
    post(client, "feedback", {"kind": "feedback", "text": "很好。"})
    report = delete_user_data(user)
    assert (report.deleted["diagsite.Consent"], report.deleted["diagsite.Feedback"]) == (1, 1)
    assert not report.remaining
