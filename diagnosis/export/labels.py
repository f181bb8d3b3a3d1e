"""The marks on whatever leaves the site: that AI made it, and that the demo platform did. In words and in metadata.

China's labelling rules (人工智能生成合成内容标识办法; GB 45438-2025) ask for words that a reader of an exported file
sees, and for a field AIGC in its metadata. The names of its parts are the standard's.
"""

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

IS_AI = "1"  # Label: 1 is made by AI, 2 may be, 3 is suspected to be
MOST_CHARACTERS = 255  # of a property of a workbook, the narrowest place that the field goes to
MOST_OF_A_NAME = 40  # characters


Aigc = dict[str, str]
"""The field. Producer: whose models wrote it; propagator: who gives it out; the ids: of the diagnosis."""


def ai_label() -> str:
    """On each text that AI wrote."""
    return _("由 AI 生成，仅供参考")


def figures_label() -> str:
    """On figures, which are counted and not written by AI."""
    return _("根据 AI 生成的回答统计")


def demo_label(is_demo: bool) -> str:
    """On what came from the demo platform; nothing on the rest."""
    return _("演示数据，并非真实平台的回答") if is_demo else ""


def aigc_of(report: dict[str, Any]) -> Aigc:
    """The field for a report; as JSON it is never longer than `MOST_CHARACTERS`."""
    names = "、".join(platform["name"] for platform in report["platforms"])
    number = str(report["diagnosis"]["id"])
    too_many = len(as_text(_field(names, number))) - MOST_CHARACTERS
    while too_many > 0:
        names = names[:-too_many]
        too_many = len(as_text(_field(names, number))) - MOST_CHARACTERS if names else 0
    return _field(names, number)


def _field(producer: str, number: str) -> Aigc:
    return {
        "Label": IS_AI,
        "ContentProducer": producer,
        "ProduceID": number,
        "ReservedCode1": "",
        "ContentPropagator": settings.AIGC_PROPAGATOR[:MOST_OF_A_NAME],
        "PropagateID": number,
        "ReservedCode2": "",
    }


def as_text(field: Aigc) -> str:
    """For metadata that hold any character."""
    return json.dumps(field, ensure_ascii=False, separators=(",", ":"))


def as_header(field: Aigc) -> str:
    """For an HTTP header, which holds ASCII."""
    return json.dumps(field, separators=(",", ":"))
