"""How each platform was asked: what two diagnoses must have in common for their rates to be one line."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnosis.choices import AnswerState
from diagnosis.models import Answer

_COLUMN_BY_ASPECT = {
    "surface": "surface",
    "protocol": "protocol",
    "requested_model": "requested_model",
    "model": "model",
    "parameters": "params_hash",
}


@dataclass
class PlatformMeasurement:
    """How the valid answers of a platform in one diagnosis were asked for, and by which matchers they were analysed.

    An aspect that is not recorded is empty.
    """

    name: str = ""
    matcher_versions: set[int] = field(default_factory=set)
    aspects: dict[str, set[str]] = field(default_factory=lambda: {aspect: set() for aspect in _COLUMN_BY_ASPECT})

    @property
    def surfaces(self) -> frozenset[str]:
        """What was measured; several if the platform was edited during the diagnosis."""
        return frozenset(self.aspects["surface"])


def load_measurements(diagnoses: Iterable[uuid.UUID]) -> dict[uuid.UUID, dict[str, PlatformMeasurement]]:
    """Return how each platform was asked, by diagnosis and platform, in one query."""
    columns = _COLUMN_BY_ASPECT.values()
    valid = Answer.objects.filter(diagnosis__in=list(diagnoses), state=AnswerState.VALID).order_by()
    rows = valid.values_list("diagnosis_id", "platform_id", "platform__name", "matcher_version", *columns).distinct()
    measurements: dict[uuid.UUID, dict[str, PlatformMeasurement]] = {}
    for diagnosis, platform, name, matcher_version, *values in rows:
        measurement = measurements.setdefault(diagnosis, {}).setdefault(platform, PlatformMeasurement(name))
        measurement.matcher_versions.add(matcher_version)
        for aspect, value in zip(_COLUMN_BY_ASPECT, values, strict=True):
            if value:
                measurement.aspects[aspect].add(str(value))
    return measurements


def find_breaks(
    before: Mapping[str, PlatformMeasurement], after: Mapping[str, PlatformMeasurement]
) -> list[dict[str, Any]]:
    """Return what differs on the platforms that both have. An aspect that one of them does not record is no break."""
    return [
        {
            "platform": platform,
            "name": after[platform].name,
            "what": aspect,
            "before": sorted(before[platform].aspects[aspect]),
            "after": sorted(values),
        }
        for platform in sorted(before.keys() & after.keys())
        for aspect, values in after[platform].aspects.items()
        if values and before[platform].aspects[aspect] and values != before[platform].aspects[aspect]
    ]
