"""A report with its answers as one JSON document, and the JSON Schema of that document."""

from datetime import datetime
from typing import IO, Any

import orjson
from ninja import Field, Schema
from ninja.responses import NinjaJSONEncoder

from diagnosis.reports.export import ai_labels
from diagnosis.reports.export.content import ExportContent
from diagnosis.reports.schemas import AnswerFactsOut, AnswerSearchOut, ReportOut
from diagnosis.reports.serializers import serialize_answer_record, serialize_search_record

FORMAT_VERSION = 2  # increment when a field is removed or changes its meaning


class AigcOut(Schema):
    """The metadata label of GB 45438-2025: AI-generated content, who wrote it first, and the id of the diagnosis."""

    Label: str
    ContentProducer: str
    ProduceID: str
    ReservedCode1: str
    ContentPropagator: str
    PropagateID: str
    ReservedCode2: str


class AiContentOut(Schema):
    """The label of AI-generated content, as text and as metadata."""

    label: str
    AIGC: AigcOut


class ExportedAnswerOut(AnswerFactsOut, AnswerSearchOut):
    """A planned answer with its text, how it was asked for, and where it comes from."""


class ExportOut(Schema):
    """A report with its answers. docs/reference/report.schema.json is its JSON Schema."""

    format: int = Field(description="2; incremented when a field is removed or changes its meaning")
    exported_at: datetime
    ai_content: AiContentOut
    demo: bool
    demo_label: str | None = Field(description="label of demo data; null for answers of real platforms")
    report: ReportOut
    answers: list[ExportedAnswerOut]


def write_json(file: IO[bytes], content: ExportContent) -> None:
    """Write the document, one answer at a time; the file stays open."""
    report = content.report
    head = {
        "format": FORMAT_VERSION,
        "exported_at": content.exported_at,
        "ai_content": {"label": ai_labels.get_ai_label(), "AIGC": ai_labels.build_aigc_metadata(report)},
        "demo": report["demo"],
        "demo_label": ai_labels.get_demo_label(report["demo"]) or None,
        "report": report,
    }
    file.write(_serialize(head)[:-1] + b',"answers":[')
    for number, answer in enumerate(content.iter_answers_with_sources()):
        file.write(
            (b"," if number else b"") + _serialize(serialize_answer_record(answer) | serialize_search_record(answer))
        )
    file.write(b"]}")


def _serialize(value: Any) -> bytes:
    return orjson.dumps(value, default=NinjaJSONEncoder().default, option=orjson.OPT_UTC_Z)


def build_export_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    export_schema = ExportOut.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **export_schema}
