"""Exports: complete, labelled in text and metadata, safe in spreadsheets, current."""

import csv
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import openpyxl
import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.choices import FailureReason
from diagnosis.models import Answer, Diagnosis, Platform
from diagnosis.orders.services import RequestedBrand
from diagnosis.reports.export.json_file import build_export_schema
from diagnosis.reports.export.sanitize import escape_formula, replace_forbidden_characters, truncate_for_excel
from diagnosis.reports.export.tables import (
    ANSWERS_TABLE,
    FIGURES_TABLE,
    JUDGEMENTS_TABLE,
    QUERIES_TABLE,
    SOURCES_TABLE,
    ExportTable,
)
from diagnosis.reports.schemas import FiguresOut
from testing.data.diagnoses import (
    begin_and_record,
    make_diagnosis,
    make_failed_result,
    make_platform,
    make_valid_result,
    run_and_end,
)

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[3] / "docs/reference"
SCHEMA, PAGE = DOCS / "report.schema.json", DOCS / "export.md"
KINDS = ["csv", "xlsx", "json"]
FORMULA = '=HYPERLINK("http://evil.example","山岚")'
BROKEN = "木石坊和山岚\x01，还有_x0041_\x1f。"


@pytest.fixture
def diagnosis(owner: AbstractUser, platform: Platform) -> Diagnosis:
    """Answers with a formula and forbidden characters, and a failed answer."""
    order = make_diagnosis(
        owner, [platform], questions=["+甲？", "乙？", "丙？"], competitors=[RequestedBrand("木石坊")], repeats=1
    )
    return run_and_end(
        order, make_valid_result(FORMULA), make_valid_result(BROKEN), make_failed_result(FailureReason.TIMEOUT)
    )


def _get(client: Client, diagnosis: Diagnosis, kind: str, query: str = "") -> Any:
    return client.get(f"/api/diagnoses/{diagnosis.pk}/export.{kind}{query}")


def _csv(response: Any) -> list[dict[str, str]]:
    raw = response.getvalue()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def _book(response: Any) -> Any:
    return openpyxl.load_workbook(io.BytesIO(response.getvalue()))


def test_csv_has_all_answers_in_order_with_labels(client: Client, diagnosis: Diagnosis) -> None:
    response = _get(client, diagnosis, "csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "answers.csv" in response["Content-Disposition"]
    rows = _csv(response)
    assert [(row["question_number"], row["state"], row["code"]) for row in rows] == [
        ("1", "valid", ""),
        ("2", "valid", ""),
        ("3", "failed", "NETWORK_TIMEOUT"),
    ]
    assert json.loads(rows[1]["mentions"]) == ["木石坊", "山岚"]
    assert [row["ai_label"] for row in rows] == ["由 AI 生成，仅供参考"] * 2 + [""]
    assert {row["demo_label"] for row in rows} == {""}
    assert rows[0]["answered_at"].endswith("Z")
    assert {row["AIGC"] for row in rows} == {response["X-AIGC"]}


def test_csv_has_the_figures_of_the_report(client: Client, diagnosis: Diagnosis) -> None:
    report = client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    rows = _csv(_get(client, diagnosis, "csv", "?of=figures"))
    own = next(row for row in rows if row["is_own"] == "true" and row["of"] == "all")
    for name, value in report["brands"][0]["figures"].items():
        assert own[name] == ("" if value is None else str(value)), name
    assert [(row["of"], row["of_name"]) for row in rows[:3]] == [
        ("all", ""),
        ("platform", "平台 fake"),
        ("question", "'+甲？"),
    ]
    assert {row["ai_label"] for row in rows} == {"根据 AI 生成的回答统计"}
    assert {json.loads(row["AIGC"])["Label"] for row in rows} == {"1"}


def test_csv_escapes_formulas_and_forbidden_characters(client: Client, diagnosis: Diagnosis) -> None:
    rows = _csv(_get(client, diagnosis, "csv"))
    assert (rows[0]["text"], rows[0]["question"]) == (f"'{FORMULA}", "'+甲？")
    assert rows[1]["text"] == "木石坊和山岚\ufffd，还有_x0041_\ufffd。"


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=1", " =1", "＝1", "'=1", "''-1", "\u3000@x", "'\n", "''\tx"]
)
def test_escape_formula_quotes_texts_that_spreadsheets_evaluate(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@given(st.text())
def test_escaped_text_can_be_restored(text: str) -> None:
    shown = escape_formula(text)
    restored = shown[1:] if shown[:1] == "'" and escape_formula(shown[1:]) == shown else shown
    assert restored == text
    assert len(replace_forbidden_characters(text)) == len(text)


def test_long_text_is_truncated_for_excel() -> None:
    assert truncate_for_excel("甲" * 32_767, "…") == "甲" * 32_767
    cut = truncate_for_excel("😀" * 20_000, "…")
    assert cut.endswith("😀…")
    assert len(cut.encode("utf-16-le")) // 2 <= 32_767


def test_workbook_has_seven_sheets_with_plain_text(client: Client, diagnosis: Diagnosis) -> None:
    book = _book(_get(client, diagnosis, "xlsx"))
    assert book.sheetnames == ["说明", "指标", "回答", "评估", "来源", "搜索词", "失败原因"]
    answers = list(book["回答"].iter_rows(values_only=True))
    texts = [row[answers[0].index("回答")] for row in answers[1:]]
    # _x005F_ is the escaped underscore of OOXML, which Excel decodes and openpyxl does not.
    assert texts == [FORMULA, "木石坊和山岚\ufffd，还有_x005F_x0041_\ufffd。", None]
    assert {cell.data_type for row in book["回答"].iter_rows() for cell in row} <= {"s", "n", "b", "d", "inlineStr"}
    figures = list(book["指标"].iter_rows(values_only=True))
    own = dict(zip(figures[0], figures[1], strict=True))
    assert (own["品牌"], own["提及率"], own["范围"]) == ("山岚", 1.0, "全部")
    assert [row[answers[0].index("状态")] for row in answers[1:]] == ["有效", "有效", "失败"]
    assert list(book["失败原因"].iter_rows(values_only=True))[1][2:4] == ("NETWORK_TIMEOUT", 1)


def test_workbook_has_no_formulas_or_links(client: Client, diagnosis: Diagnosis) -> None:
    with zipfile.ZipFile(io.BytesIO(_get(client, diagnosis, "xlsx").getvalue())) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/")]
    assert len(sheets) == 7
    assert not any(b"<f>" in sheet or b"<hyperlink" in sheet for sheet in sheets)


def test_workbook_has_labels_in_text_and_properties(client: Client, diagnosis: Diagnosis) -> None:
    book = _book(_get(client, diagnosis, "xlsx"))
    assert book["说明"]["A2"].value == "AI 内容标识"
    assert book["说明"]["B2"].value.startswith("由 AI 生成，仅供参考")
    assert "由 AI 生成" in book.properties.description
    aigc = json.loads(book.custom_doc_props["AIGC"].value)
    assert (aigc["Label"], aigc["ContentProducer"], aigc["ProduceID"]) == ("1", "fake", str(diagnosis.pk))
    assert "demo" not in book.custom_doc_props.names


def test_json_matches_its_schema(client: Client, diagnosis: Diagnosis) -> None:
    body = _get(client, diagnosis, "json").getvalue()
    document = json.loads(body)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert document["report"] == client.get(f"/api/diagnoses/{diagnosis.pk}/report").json()
    assert [answer["text"] for answer in document["answers"]] == [FORMULA, BROKEN, ""]
    assert document["ai_content"]["AIGC"]["Label"] == "1"
    assert (document["demo"], document["demo_label"]) == (False, None)


@pytest.mark.parametrize("producer", ["", "001191110000MA00000000AB123"])
def test_metadata_of_a_first_writing_name_one_producer(
    client: Client, diagnosis: Diagnosis, settings: Any, producer: str
) -> None:
    settings.AIGC_PRODUCER = producer
    Platform.objects.filter(pk="fake").update(name="平台“甲”\\")
    written = _get(client, diagnosis, "json")
    aigc = json.loads(written.getvalue())["ai_content"]["AIGC"]
    assert (aigc["ContentProducer"], aigc["ProduceID"]) == (aigc["ContentPropagator"], aigc["PropagateID"])
    assert aigc["ContentProducer"] == (producer or "fake")
    for value in aigc.values():
        assert isinstance(value, str)
        assert re.fullmatch(r"[!#-\[\]-~]*", value)
    assert len(written["X-AIGC"]) <= 255


def test_published_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == build_export_schema(), (
        "manage.py report_schema > docs/reference/report.schema.json"
    )


@pytest.mark.parametrize("table", [ANSWERS_TABLE, FIGURES_TABLE, JUDGEMENTS_TABLE, QUERIES_TABLE, SOURCES_TABLE])
def test_export_page_documents_every_column(table: ExportTable) -> None:
    words = set(re.findall(r"\w+", PAGE.read_text()))
    figures = set(FiguresOut.model_fields)
    assert set(table.columns) - figures <= words
    assert figures <= set(FIGURES_TABLE.columns)


def test_demo_answers_are_labelled_in_every_format(client: Client, owner: AbstractUser) -> None:
    demo = make_platform("demo", is_demo=True)
    diagnosis = run_and_end(make_diagnosis(owner, [demo]), make_valid_result())
    assert diagnosis.is_demo
    label = "演示数据，并非真实平台的回答"
    for query in ("", "?of=figures"):
        response = _get(client, diagnosis, "csv", query)
        assert {row["demo_label"] for row in _csv(response)} == {label}
        assert response["X-Demo"] == "true"
    book = _book(_get(client, diagnosis, "xlsx"))
    assert book["说明"]["B3"].value == label
    assert book.custom_doc_props["demo"].value == label
    document = json.loads(_get(client, diagnosis, "json").getvalue())
    assert (document["demo"], document["demo_label"]) == (True, label)


def test_titles_are_translated_and_column_names_are_not(client: Client, diagnosis: Diagnosis) -> None:
    english = {"Accept-Language": "en"}
    address = f"/api/diagnoses/{diagnosis.pk}/export"
    book = _book(client.get(f"{address}.xlsx", headers=english))
    assert book.sheetnames == ["Notes", "Figures", "Answers", "Judgements", "Sources", "Search queries", "Failures"]
    rows = _csv(client.get(f"{address}.csv", headers=english))
    assert rows[0]["ai_label"] == "AI生成 · Generated by AI, for reference only"


@pytest.mark.parametrize("kind", KINDS)
def test_export_requires_access_to_the_diagnosis(
    client_of_stranger: Client, client_of_staff: Client, diagnosis: Diagnosis, kind: str
) -> None:
    assert _get(client_of_stranger, diagnosis, kind).status_code == 404
    assert _get(Client(), diagnosis, kind).status_code == 401
    assert _get(client_of_staff, diagnosis, kind).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_running_diagnosis_is_not_exported(
    client: Client, client_of_stranger: Client, owner: AbstractUser, platform: Platform, kind: str
) -> None:
    running = begin_and_record(make_diagnosis(owner, [platform], questions=["甲？", "乙？"]), make_valid_result())
    rejected = _get(client, running, kind)
    assert (rejected.status_code, rejected.json()["code"]) == (409, "DIAGNOSIS_RUNNING")
    assert _get(client_of_stranger, running, kind).status_code == 404


def test_judgements_tell_what_each_brand_is_praised_and_blamed_for(
    client: Client, owner: AbstractUser, platform: Platform
) -> None:
    text = "Shanlan做工扎实，但价格偏高。云栖壶一般。"
    diagnosis = run_and_end(make_diagnosis(owner, [platform], aliases=["Shanlan"]), make_valid_result(text))
    own = {"name": "Shanlan", "at": [0, 7], "stance": "recommended", "sentiment": "positive", "quote": [0, 11]}
    other = {"name": "云栖壶", "at": [18, 21], "stance": "mentioned", "sentiment": "unclear", "quote": [0, 0]}
    brands = [own | {"praise": [[7, 11]], "blame": [[13, 17]]}, other]
    Answer.objects.filter(diagnosis=diagnosis).update(extraction={"brands": brands, "complete": True})
    rows = _csv(_get(client, diagnosis, "csv", "?of=judgements"))
    columns = ("brand", "compared", "stance", "sentiment", "quote", "praise", "blame")
    assert [[row[name] for name in columns] for row in rows] == [
        ["山岚", "true", "recommended", "positive", "Shanlan做工扎实", '["做工扎实"]', '["价格偏高"]'],
        ["云栖壶", "false", "mentioned", "unclear", "", "[]", "[]"],
    ]
    sheet = list(_book(_get(client, diagnosis, "xlsx"))["评估"].values)
    assert [row[9:11] for row in sheet[1:]] == [("推荐", "正面"), ("只是提到", "不明确")]


def test_unknown_table_is_rejected_with_its_field(client: Client, diagnosis: Diagnosis) -> None:
    rejected = _get(client, diagnosis, "csv", "?of=secrets")
    assert rejected.status_code in (400, 422)
    assert "of" in str(rejected.json()["fields"])


def test_report_without_valid_answers_can_be_exported(client: Client, owner: AbstractUser, platform: Platform) -> None:
    ended = run_and_end(make_diagnosis(owner, [platform]), make_failed_result())
    Answer.objects.filter(diagnosis=ended).update(mentions=[])
    for kind in KINDS:
        assert _get(client, ended, kind).status_code == 200


def test_workbook_has_translated_states_and_times_of_one_named_zone(
    client: Client, diagnosis: Diagnosis, settings: Any
) -> None:
    settings.TIME_ZONE = "America/New_York"
    book = _book(_get(client, diagnosis, "xlsx"))
    notes = {row[0].value: row[1].value for row in book.worksheets[0].iter_rows()}
    finished_at = diagnosis.finished_at
    assert finished_at
    local = finished_at.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert (notes["时区"], notes["状态"]) == ("America/New_York", diagnosis.get_status_display())
    assert abs(notes["结束时间"] - local) < timedelta(seconds=1)
    assert notes["结论"].startswith("“")
    assert "API，只凭模型记忆" in notes["测量方式"]
    assert "时间（America/New_York）" in [cell.value for cell in book.worksheets[2][1]]
    english = {"Accept-Language": "en"}
    book = _book(client.get(f"/api/diagnoses/{diagnosis.pk}/export.xlsx", headers=english))
    texts = {str(cell.value) for sheet in book.worksheets for row in sheet.iter_rows() for cell in row}
    assert not texts & {"valid", "failed", "partial", "completed", "these_questions", "recognition", "all"}
