"""What the API reads often, from the cache: bodies as they are sent, with their ETags. A hit needs no thread."""

import hashlib
import uuid
from functools import partial
from typing import Any, TypedDict

import orjson
from ninja.responses import NinjaJSONEncoder

from diagnosis.api import serializers
from diagnosis.api.serializers import AnswerTextReader
from diagnosis.exceptions import DiagnosisRunning
from diagnosis.models import PLATFORMS_CACHE_TAG, Diagnosis, Platform
from diagnosis.statistics import compute_statistics
from errors.catalogue import snapshot
from performance.cache import get_cache

_report_cache = get_cache(ttl=300, namespace="reports")
# A pause ends by the clock, so its end is seen this late at most.
_platform_cache = get_cache(ttl=5, namespace="platforms")
_statistics_cache = get_cache(ttl=60, namespace="statistics")
_encoder = NinjaJSONEncoder()  # times and numbers as everywhere in the API


class CachedReport(TypedDict):
    """owner: whose it is, for the caller to check; body: JSON."""

    owner: int
    body: str
    etag: str


def get_cached_report(diagnosis_id: uuid.UUID, locale: str, read_texts: AnswerTextReader | None = None) -> CachedReport:
    """The report of a diagnosis that has ended. Raises Diagnosis.DoesNotExist, or DiagnosisRunning before its end.

    parse_text_list: see `presenters.report_json`.
    """
    load = partial(_load_report, diagnosis_id, read_texts)
    report: CachedReport = _report_cache.load(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id)
    )
    return report


async def aget_cached_report(diagnosis_id: uuid.UUID, locale: str) -> CachedReport:
    """`get_cached_report` for the event loop."""
    load = partial(_load_report, diagnosis_id, None)
    report: CachedReport = await _report_cache.aload_blocking(
        _build_report_key(diagnosis_id, locale), load, tags=_get_report_tags(diagnosis_id)
    )
    return report


def _build_report_key(diagnosis_id: uuid.UUID, locale: str) -> str:
    # The words in it are those that this process knows now: after an edit they have another version.
    return f"{diagnosis_id}:{locale}:{snapshot.get_snapshot_version()}"


def _get_report_tags(diagnosis_id: uuid.UUID) -> list[str]:
    return [get_report_cache_tag(diagnosis_id), PLATFORMS_CACHE_TAG]


def get_report_cache_tag(diagnosis_id: uuid.UUID) -> str:
    """What to `touch` when something of a report changes."""
    return f"diagnosis:{diagnosis_id}"


def _load_report(diagnosis_id: uuid.UUID, read_texts: AnswerTextReader | None) -> CachedReport:
    diagnosis = Diagnosis.objects.get(pk=diagnosis_id)
    if not diagnosis.is_final:
        raise DiagnosisRunning
    body = _serialize_json(serializers.serialize_report(diagnosis, read_texts))
    return {"owner": diagnosis.owner_id, "body": body, "etag": _compute_etag(body)}


async def get_platforms_json() -> str:
    """The enabled platforms, with health, price and typical time; as JSON."""
    body: str = await _platform_cache.aload_blocking("all", _load_platforms, tags=[PLATFORMS_CACHE_TAG])
    return body


def _load_platforms() -> str:
    return _serialize_json(
        [serializers.serialize_platform(platform) for platform in Platform.objects.filter(is_enabled=True)]
    )


async def get_statistics_json() -> str:
    """Counts over everybody's diagnoses, at most a minute old; as JSON."""
    body: str = await _statistics_cache.aload_blocking("all", lambda: _serialize_json(compute_statistics()))
    return body


def _serialize_json(body: Any) -> str:
    return orjson.dumps(body, default=_encoder.default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _compute_etag(body: str) -> str:
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
