"""What the API reads often, from the cache: bodies as they are sent, with their ETags. A hit needs no thread."""

import hashlib
import uuid
from functools import partial
from typing import Any, TypedDict

import orjson
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
_encoder = NinjaJSONEncoder()  # times and numbers as everywhere in the API


class Report(TypedDict):
    """owner: whose it is, for the caller to check; body: JSON."""

    owner: int
    body: str
    etag: str


def report_of(diagnosis_id: uuid.UUID, locale: str, read_texts: ReadTexts | None = None) -> Report:
    """The report of a diagnosis that has ended. Raises Diagnosis.DoesNotExist, or DiagnosisRunning before its end.

    read_texts: see `presenters.report_json`.
    """
    load = partial(_load_report, diagnosis_id, read_texts)
    report: Report = _reports.load(_report_key(diagnosis_id, locale), load, about=_about_report(diagnosis_id))
    return report


async def areport_of(diagnosis_id: uuid.UUID, locale: str) -> Report:
    """`report_of` for the event loop."""
    load = partial(_load_report, diagnosis_id, None)
    report: Report = await _reports.aload_blocking(
        _report_key(diagnosis_id, locale), load, about=_about_report(diagnosis_id)
    )
    return report


def _report_key(diagnosis_id: uuid.UUID, locale: str) -> str:
    # The words in it are those that this process knows now: after an edit they have another version.
    return f"{diagnosis_id}:{locale}:{catalogue.version()}"


def _about_report(diagnosis_id: uuid.UUID) -> list[str]:
    return [report_version(diagnosis_id), PLATFORMS]


def report_version(diagnosis_id: uuid.UUID) -> str:
    """What to `touch` when something of a report changes."""
    return f"diagnosis:{diagnosis_id}"


def _load_report(diagnosis_id: uuid.UUID, read_texts: ReadTexts | None) -> Report:
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    body = _json(presenters.report_json(diagnosis, read_texts))
    return {"owner": diagnosis.owner_id, "body": body, "etag": _etag(body)}


async def platforms() -> str:
    """The enabled platforms, with health, price and typical time; as JSON."""
    body: str = await _platforms.aload_blocking("all", _load_platforms, about=[PLATFORMS])
    return body


def _load_platforms() -> str:
    return _json([presenters.platform_json(platform) for platform in Platform.objects.filter(is_enabled=True)])


async def statistics() -> str:
    """Counts over everybody's diagnoses, at most a minute old; as JSON."""
    body: str = await _statistics.aload_blocking("all", lambda: _json(count_everything()))
    return body


def _json(body: Any) -> str:
    return orjson.dumps(body, default=_encoder.default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _etag(body: str) -> str:
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
