"""Labels of AI-generated and demo content in exports, as text and as metadata.

China's labelling rules (人工智能生成合成内容标识办法; GB 45438-2025) require a visible text in exported files and a
field AIGC in their metadata. The names of its keys are those of the standard.
"""

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

AIGC_LABEL_GENERATED = "1"  # Label: 1 is AI-generated, 2 possibly, 3 suspected
MAX_AIGC_CHARACTERS = 255  # the maximum of a workbook property
MAX_PROPAGATOR_CHARACTERS = 40

AigcMetadata = dict[str, str]
"""The field AIGC. ContentProducer: the platforms; ContentPropagator: this site; the ids: the diagnosis."""


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
    """Return the field for a report; its JSON has at most `MAX_AIGC_CHARACTERS`."""
    names = "、".join(platform["name"] for platform in report["platforms"])
    diagnosis_id = str(report["diagnosis"]["id"])
    excess_characters = len(serialize_aigc(_build_metadata(names, diagnosis_id))) - MAX_AIGC_CHARACTERS
    while excess_characters > 0:
        names = names[:-excess_characters]
        excess_characters = (
            len(serialize_aigc(_build_metadata(names, diagnosis_id))) - MAX_AIGC_CHARACTERS if names else 0
        )
    return _build_metadata(names, diagnosis_id)


def _build_metadata(producer: str, diagnosis_id: str) -> AigcMetadata:
    return {
        "Label": AIGC_LABEL_GENERATED,
        "ContentProducer": producer,
        "ProduceID": diagnosis_id,
        "ReservedCode1": "",
        "ContentPropagator": settings.AIGC_PROPAGATOR[:MAX_PROPAGATOR_CHARACTERS],
        "PropagateID": diagnosis_id,
        "ReservedCode2": "",
    }


def serialize_aigc(metadata: AigcMetadata) -> str:
    """Return the field as JSON with any characters."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def serialize_aigc_for_header(metadata: AigcMetadata) -> str:
    """Return the field as ASCII JSON, for an HTTP header."""
    return json.dumps(metadata, separators=(",", ":"))
