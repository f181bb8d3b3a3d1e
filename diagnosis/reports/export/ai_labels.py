"""Labels of AI-generated and demo content in exports, as text and as metadata.

China's labelling rules (人工智能生成合成内容标识办法; GB 45438-2025) require a visible text in exported files and a
field AIGC in their metadata. The names of its keys are those of the standard. When content is written for the first
time, the propagator and its id equal the producer and its id.
"""

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

AIGC_LABEL_GENERATED = "1"  # Label: 1 is AI-generated, 2 possibly, 3 suspected
MAX_PRODUCER_CHARACTERS = 28  # with two of these the JSON fits into a workbook property, which holds 255

AigcMetadata = dict[str, str]
"""The field AIGC, whose values are printable ASCII. ContentProducer: this site; ProduceID: the diagnosis."""


def get_ai_label() -> str:
    """Return the label of texts written by AI."""
    return _("由 AI 生成，仅供参考")


def get_figures_label() -> str:
    """Return the label of figures, which are computed and not written by AI."""
    return _("根据 AI 生成的回答统计")


def get_demo_label(is_demo: bool) -> str:
    """Return the label of answers of the demo platform, an empty text for others."""
    return _("演示数据，并非真实平台的回答") if is_demo else ""


def build_aigc_metadata(report: dict[str, Any]) -> AigcMetadata:
    """Return the field for a report. Without `AIGC_PRODUCER` the platforms' ids stand for the operator's code."""
    platform_ids = ",".join(platform["id"] for platform in report["platforms"])
    producer = settings.AIGC_PRODUCER or platform_ids[:MAX_PRODUCER_CHARACTERS]
    diagnosis_id = str(report["diagnosis"]["id"])
    return {
        "Label": AIGC_LABEL_GENERATED,
        "ContentProducer": producer,
        "ProduceID": diagnosis_id,
        "ReservedCode1": "",
        "ContentPropagator": producer,
        "PropagateID": diagnosis_id,
        "ReservedCode2": "",
    }


def serialize_aigc(metadata: AigcMetadata) -> str:
    """Return the field as ASCII JSON."""
    return json.dumps(metadata, separators=(",", ":"))
