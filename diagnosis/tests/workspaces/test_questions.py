"""Questions, imports with a verdict for every line, and panels with unchanging versions."""

import base64
import io
import uuid
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.models import Panel, PanelVersion, Platform, TrackedQuestion
from testing.data.diagnoses import make_diagnosis, make_platform, make_valid_result, run_and_end


@pytest.fixture
def workspace(owner: AbstractUser, platform: Platform) -> uuid.UUID:
    """A workspace with one run."""
    run = run_and_end(make_diagnosis(owner, [platform], questions=["哪个手冲壶好？"]), make_valid_result())
    assert run.workspace_id
    return run.workspace_id


def _send(client: Client, workspace: uuid.UUID, path: str, body: Any, status: int = 200, method: str = "post") -> Any:
    send = getattr(client, method)
    response = send(f"/api/workspaces/{workspace}/{path}", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def test_question_is_added_tagged_edited_and_archived(client: Client, workspace: uuid.UUID) -> None:
    first = _send(client, workspace, "questions", {"text": "哪个手冲壶好？", "tags": ["壶", "壶 "]}, 201)
    assert (first["tags"], first["kind"], first["figure"]["k"], first["figure"]["n"]) == (["壶"], "unbranded", 1, 1)
    assert _send(client, workspace, "questions", {"text": "山岚好吗？"}, 201)["kind"] == "recognition"
    _send(client, workspace, "questions", {"text": " 哪个手冲壶好？"}, 409)
    edited = _send(client, workspace, "questions", {"text": "哪个壶好？", "replaces": first["id"]}, 201)
    assert (edited["replaces"], edited["tags"]) == (first["id"], ["壶"])
    texts = [row["text"] for row in client.get(f"/api/workspaces/{workspace}/questions").json()["items"]]
    assert texts == ["山岚好吗？", "哪个壶好？"]
    _send(client, workspace, f"questions/{edited['id']}", {"archived": True, "tags": []}, method="patch")
    _send(client, workspace, f"questions/{uuid.uuid4()}", {"archived": True}, 404, method="patch")
    archived = client.get(f"/api/workspaces/{workspace}/questions", {"archived": "true"}).json()["items"]
    assert {row["text"] for row in archived} == {"哪个手冲壶好？", "哪个壶好？"}
    assert client.get(f"/api/workspaces/{workspace}/tags").json() == [{"name": "壶", "questions": 0}]
    assert client.delete(f"/api/workspaces/{workspace}/tags/壶").status_code == 204


def test_every_line_of_an_import_is_stored_or_refused_with_a_reason(client: Client, workspace: uuid.UUID) -> None:
    _send(client, workspace, "questions", {"text": "已有？"}, 201)
    blocks = [f"新的 {number}？\t标签{number % 3}" for number in range(300)]
    blocks += [" 新的 1？", "已有？\t补上", "", "   ", "x" * 501, "坏\x07的", "\u200b"] * 100
    content = "\n".join(blocks)
    preview = _send(client, workspace, "questions/preview", {"content": content})
    assert TrackedQuestion.objects.count() == 1
    body = _send(client, workspace, "questions/import", {"content": content})
    assert body == preview
    assert len(body["lines"]) == 1000 == body["stored"] + body["refused"]
    counts = Counter(line["verdict"] for line in body["lines"])
    assert counts == {"new": 300, "known": 1, "repeated": 199, "blank": 200, "too_long": 100, "unreadable": 200}
    assert next(line["text"] for line in body["lines"] if line["verdict"] == "too_long") == "x" * 501
    assert {line["same_as"] for line in body["lines"] if line["verdict"] == "repeated"} == {2, 302}
    assert TrackedQuestion.objects.count() == 301
    assert list(TrackedQuestion.objects.get(text="已有？").tags.values_list("name", flat=True)) == ["补上"]
    assert _send(client, workspace, "questions/import", {"content": content})["stored"] == 301


def test_import_keeps_to_its_limits_and_reads_csv(
    client: Client, workspace: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = '\ufeff"带逗号，的？",壶;杯\r\n"两\n行？"\r\n'
    lines = _send(client, workspace, "questions/import", {"content": csv, "format": "csv"})["lines"]
    assert [(line["text"], line["tags"], line["verdict"]) for line in lines] == [
        ("带逗号，的？", ["壶", "杯"], "new"),
        ("两\n行？", [], "new"),
    ]
    monkeypatch.setattr("diagnosis.workspaces.question_import.MAX_QUESTIONS_PER_WORKSPACE", 3)
    lines = _send(client, workspace, "questions/import", {"content": "甲？\n乙？\n带逗号，的？"})["lines"]
    assert [line["verdict"] for line in lines] == ["new", "over_limit", "known"]
    _send(client, workspace, "questions/import", {"content": "行\n" * 2001}, 422)
    _send(client, workspace, "questions/import", {"content": "x" * 140_000}, 422)


def _make_workbook(rows: Sequence[Sequence[Any]]) -> bytes:
    book, target = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(target)
    return target.getvalue()


def _as_xlsx(data: bytes) -> dict[str, str]:
    return {"content": base64.b64encode(data).decode(), "format": "xlsx"}


def test_workbook_gets_a_verdict_for_every_row(client: Client, workspace: uuid.UUID) -> None:
    rows = [("哪个壶好？", "壶、杯", "送礼"), (), ("哪个壶好？",), ("=1+1",), (2026,), ("x" * 501,)]
    content = _as_xlsx(_make_workbook(rows))
    preview = _send(client, workspace, "questions/preview", content)
    assert TrackedQuestion.objects.count() == 0
    body = _send(client, workspace, "questions/import", content)
    assert body == preview
    verdicts = [line["verdict"] for line in body["lines"]]
    assert verdicts == ["new", "blank", "repeated", "blank", "new", "too_long"]  # a formula without a stored value
    assert body["lines"][0]["tags"] == ["壶", "杯", "送礼"]
    assert set(TrackedQuestion.objects.values_list("text", flat=True)) == {"哪个壶好？", "2026"}


def _pack(name: str, content: bytes) -> bytes:
    """Return the archive of a valid workbook with one part replaced."""
    source, target = zipfile.ZipFile(io.BytesIO(_make_workbook([("甲？",)]))), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in source.namelist():
            archive.writestr(part, content if part == name else source.read(part))
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        _make_workbook([("甲？",)])[:-30],
        _pack("xl/worksheets/sheet1.xml", b"<worksheet"),
        _pack("xl/worksheets/sheet1.xml", b" " * 5_000_000),
        _pack("xl/workbook.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><workbook>&b;</workbook>'),
        _pack("[Content_Types].xml", b""),
    ],
    ids=["no archive", "cut off", "broken XML", "too large", "entities", "no types"],
)
def test_damaged_or_oversized_workbooks_are_refused(client: Client, workspace: uuid.UUID, data: bytes) -> None:
    fields = _send(client, workspace, "questions/preview", _as_xlsx(data), 422)["fields"]
    assert set(fields) == {"content"}


def test_workbook_is_bounded_in_rows_and_bytes(client: Client, workspace: uuid.UUID) -> None:
    _send(client, workspace, "questions/preview", {"content": "no base64!", "format": "xlsx"}, 422)
    far = _make_workbook([("甲？",)])
    sheet = zipfile.ZipFile(io.BytesIO(far)).read("xl/worksheets/sheet1.xml").replace(b'r="1"', b'r="1048576"', 1)
    _send(client, workspace, "questions/preview", _as_xlsx(_pack("xl/worksheets/sheet1.xml", sheet)), 422)
    _send(client, workspace, "questions/preview", _as_xlsx(b"x" * (128 * 1024 + 1)), 422)


def test_edit_of_a_question_that_was_changed_meanwhile_is_refused(client: Client, workspace: uuid.UUID) -> None:
    question = _send(client, workspace, "questions", {"text": "甲？"}, 201)
    url = f"/api/workspaces/{workspace}/questions/{question['id']}"

    def patch(body: dict[str, Any], etag: str) -> Any:
        return client.patch(url, body, content_type="application/json", headers={"If-Match": etag})

    changed = patch({"tags": ["壶"]}, question["etag"])
    assert changed.status_code == 200
    refused = patch({"tags": ["杯"]}, question["etag"])
    assert (refused.status_code, list(refused.json()["fields"])) == (409, ["If-Match"])
    assert patch({"tags": ["杯"]}, changed.json()["etag"]).json()["tags"] == ["杯"]


def test_suggestions_have_reasons_and_leave_out_what_is_tracked(client: Client, workspace: uuid.UUID) -> None:
    url = f"/api/workspaces/{workspace}/questions/suggest"
    rows = client.get(url, {"product": "$手冲壶"}).json()
    assert rows[0] == {"text": "哪个手冲壶好？", "reason": "asked", "runs": 1, "names_brand": False}
    assert rows[1]["text"] == "$手冲壶推荐哪个牌子？"
    assert {row["reason"] for row in rows[1:]} == {"template"}
    _send(client, workspace, "questions", {"text": "哪个手冲壶好？", "origin": "order"}, 201)
    assert [row["reason"] for row in client.get(url).json()] == []


def test_panel_versions_never_change_and_its_runs_are_one_trend(
    client: Client, workspace: uuid.UUID, platform: Platform
) -> None:
    ids = [_send(client, workspace, "questions", {"text": text}, 201)["id"] for text in ("甲？", "乙？", "丙？")]
    body = {"name": "每周", "questions": ids[:2], "platforms": ["fake"]}
    panel = _send(client, workspace, "panels", body, 201)
    path = f"panels/{panel['id']}"
    started = [_send(client, workspace, f"{path}/runs", None, 202)["id"]]
    assert _send(client, workspace, path, body | {"name": "每月", "version": 1}, method="put")["version"] == 1
    changed = _send(client, workspace, path, body | {"questions": ids[1:], "version": 1}, method="put")
    assert (changed["version"], [row["text"] for row in changed["questions"]]) == (2, ["乙？", "丙？"])
    _send(client, workspace, path, body | {"version": 1}, 409, method="put")
    started.append(_send(client, workspace, f"{path}/runs", None, 202)["id"])
    first, second = PanelVersion.objects.order_by("number")
    assert list(first.places.values_list("question__text", flat=True)) == ["甲？", "乙？"]
    for pk, version in zip(started, (first, second), strict=True):
        run = version.diagnoses.get(pk=pk)
        assert (run.names_version, run.workspace_id) == (1, workspace)
        run_and_end(run, make_valid_result(), make_valid_result())
    overview = client.get(f"/api/workspaces/{workspace}/overview", {"panel": panel["id"]}).json()
    assert [point["id"] for point in overview["trend"]] == started
    assert overview["headline"]["kind"] == "unchanged"
    assert overview["panels"][0]["key"] == panel["id"]
    assert overview["panels"][0]["runs"] == 2
    runs = client.get(f"/api/workspaces/{workspace}/runs", {"panel": panel["id"]}).json()["items"]
    assert [(run["panel_name"], run["panel_version"]) for run in runs] == [("每周", 2), ("每周", 1)]
    assert runs[0]["change"]["cells"] == 1  # the question that both versions ask
    questions = client.get(f"/api/workspaces/{workspace}/questions").json()["items"]
    assert [len(row["panels"]) for row in questions] == [0, 1, 1]
    assert client.delete(f"/api/workspaces/{workspace}/{path}").status_code == 204
    assert client.get(f"/api/workspaces/{workspace}/panels").json() == []
    assert Panel.objects.count() == 1


def test_panel_refuses_unknown_questions_and_platforms_of_the_other_kind(
    client: Client, workspace: uuid.UUID, platform: Platform
) -> None:
    make_platform("demo", is_demo=True)
    question = _send(client, workspace, "questions", {"text": "甲？"}, 201)["id"]
    body = {"name": "每周", "questions": [question, str(uuid.uuid4())], "platforms": ["fake", "demo"]}
    fields = _send(client, workspace, "panels", body, 422)["fields"]
    assert set(fields) == {"questions.1", "platforms.1"}
