"""The marks on whatever leaves the site: that AI made it, and that the demo platform did. In words and in metadata.

China's labelling rules (人工智能生成合成内容标识办法; GB 45438-2025) ask for words that a reader of an exported file
sees, and for a field AIGC in its metadata. The names of its parts are the standard's.
"""

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

AIGC_LABEL_GENERATED = "1"  # Label: 1 is made by AI, 2 may be, 3 is suspected to be
MAX_AIGC_CHARACTERS = 255  # of a property of a workbook, the narrowest place that the field goes to
MAX_PROPAGATOR_CHARACTERS = 40  # characters


AigcMetadata = dict[str, str]
"""The field. Producer: whose models wrote it; propagator: who gives it out; the ids: of the diagnosis."""


def get_ai_label() -> str:
    """On each text that AI wrote."""
    return _("由 AI 生成，仅供参考")


def get_figures_label() -> str:
    """On figures, which are counted and not written by AI."""
    return _("根据 AI 生成的回答统计")


def get_demo_label(is_demo: bool) -> str:
    """On what came from the demo platform; nothing on the rest."""
    return _("演示数据，并非真实平台的回答") if is_demo else ""


def build_aigc_metadata(report: dict[str, Any]) -> AigcMetadata:
    """The field for a report; as JSON it is never longer than `MAX_AIGC_CHARACTERS`."""
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
    """For metadata that hold any character."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def serialize_aigc_for_header(metadata: AigcMetadata) -> str:
    """For an HTTP header, which holds ASCII."""
    return json.dumps(metadata, separators=(",", ":"))
