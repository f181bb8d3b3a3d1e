"""What the API reads often, from the cache: bodies as they are sent, with their ETags."""

import hashlib
import json
import uuid
from typing import Any, TypedDict

from ninja.responses import NinjaJSONEncoder

from diagnosis import presenters
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import PLATFORMS, Diagnosis, Platform
from diagnosis.presenters import ReadTexts
from diagnosis.statistics import count_everything
from errors import catalogue
from performance.cache import get_cache

_reports = get_cache(ttl=300, namespace="reports")
# A pause ends by the clock, so its end is seen this late at most.
_platforms = get_cache(ttl=5, namespace="platforms")
_statistics = get_cache(ttl=60, namespace="statistics")


class Report(TypedDict):
    """owner: whose it is, for the caller to check; body: JSON."""

    owner: int
    body: str
    etag: str


def report_of(diagnosis_id: uuid.UUID, locale: str, read_texts: ReadTexts | None = None) -> Report:
    """The report of a diagnosis that has ended. Raises Diagnosis.DoesNotExist, or DiagnosisRunning before its end.

    read_texts: see `presenters.report_json`.
    """
    # The words in it are those that this process knows now: after an edit they have another version.
    key = f"{diagnosis_id}:{locale}:{catalogue.version()}"
    about = [report_version(diagnosis_id), PLATFORMS]
    report: Report = _reports.load(key, lambda: _load_report(diagnosis_id, read_texts), about=about)
    return report


def report_version(diagnosis_id: uuid.UUID) -> str:
    """What to `touch` when something of a report changes."""
    return f"diagnosis:{diagnosis_id}"


def _load_report(diagnosis_id: uuid.UUID, read_texts: ReadTexts | None) -> Report:
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    body = _json(presenters.report_json(diagnosis, read_texts))
    return {"owner": diagnosis.owner_id, "body": body, "etag": _etag(body)}


def platforms() -> str:
    """The enabled platforms, with health, price and typical time; as JSON."""
    body: str = _platforms.load("all", _load_platforms, about=[PLATFORMS])
    return body


def _load_platforms() -> str:
    return _json([presenters.platform_json(platform) for platform in Platform.objects.filter(is_enabled=True)])


def statistics() -> str:
    """Counts over everybody's diagnoses, at most a minute old; as JSON."""
    body: str = _statistics.load("all", lambda: _json(count_everything()))
    return body


def _json(body: Any) -> str:
    return json.dumps(body, cls=NinjaJSONEncoder, ensure_ascii=False)


def _etag(body: str) -> str:
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
